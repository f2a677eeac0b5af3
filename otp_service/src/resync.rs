//! `resync` and `set_back`: two codes in a row bring device and verifier together again.

use otp_core::decide::decoy;
use otp_core::resync::{Resync, resync};
use otp_core::set_back::{NotSetBack, SetBack, set_back};
use otp_core::{CredentialId, Input, Record, Verdict};
use otp_store::{AuditRow, Whose};
use otp_wire::SecretText;
use otp_wire::message::{self, CredentialName, Outcome};

use crate::checked::{Checked, check, only};
use crate::login::{answer, audit_row, judged, of_owner};
use crate::service::{Asked, Service, Stop};
use crate::transaction::Decision;

impl Service {
    pub(crate) fn resync(&self, asked: &Asked, ask: &message::Resync) -> Result<Outcome, Stop> {
        let (checked, only) = (check(asked, &ask.login, &self.accounts, &[])?, only(ask.credential.as_deref())?);
        let row = audit_row(asked, &ask.login);
        let [first, second] = &ask.codes;
        self.judge_two(asked, checked, only, [first, second], row, |checked, verdict, _| {
            answer(verdict, |refusal| checked.refused(refusal))
        })
    }

    /// Judges two consecutive codes, at the same door as a login.
    pub(crate) fn judge_two(
        &self,
        asked: &Asked,
        checked: Checked,
        only: Option<CredentialId>,
        codes: [&SecretText; 2],
        row: AuditRow,
        outcome: impl FnOnce(&Checked, Verdict, Option<&Record>) -> Outcome + Send + 'static,
    ) -> Result<Outcome, Stop> {
        let codes = inputs(codes);
        let (now, limits) = (asked.now, self.settings.limits);
        self.transact(asked, Whose::Login(checked.login.clone()), move |record| {
            let row = of_owner(row, record.as_ref());
            let (verdict, record) = match record {
                Some(record) => {
                    let (account, shown, codes) = (&checked.login.account, checked.shown(), [&codes[0], &codes[1]]);
                    let (verdict, record) =
                        resync(record, &Resync { account, shown, codes, only: only.as_ref(), limits }, now);
                    (verdict, Some(record))
                }
                None => (decoy(&codes[0], now), None),
            };
            let row = judged(row, &verdict);
            let audit = vec![AuditRow { reason: format!("resync: {}", row.reason), ..row }];
            let outcome = outcome(&checked, verdict, record.as_ref());
            Decision { record, audit, outcome }
        })
    }

    /// Sets a last step back that lies in the future.
    pub(crate) fn set_back(&self, asked: &Asked, ask: &message::SetBack) -> Result<Outcome, Stop> {
        let name = CredentialName { account: ask.account.clone(), credential: ask.credential.clone() };
        let (owner, id) = self.named(asked, &name)?;
        let (used, ahead) = self.store.accepted(&owner, &id, asked.now)?;
        let (codes, now) = (inputs([&ask.codes[0], &ask.codes[1]]), asked.now);
        self.change(asked, &owner, None, format!("set the last step of {id} back"), move |record| {
            let credential = record.credentials.iter_mut().find(|credential| credential.id == id);
            let credential = credential.ok_or_else(|| format!("no credential {id}"))?;
            match set_back(credential, &SetBack { codes: [&codes[0], &codes[1]], used, ahead }, now) {
                Ok(()) => Ok(format!("{id} ({}) is set back: its next code is accepted.", credential.label)),
                Err(NotSetBack::NotAhead) => Err(format!("the last code of {id} was not of a time in the future")),
                Err(NotSetBack::Wrong) => Err(format!(
                    "these are not two codes of {id} in a row, of this moment and never used; is the clock right now?"
                )),
            }
        })
    }
}

fn inputs(codes: [&SecretText; 2]) -> [Input; 2] {
    codes.map(|code| Input::parse(code.expose().as_bytes()))
}
