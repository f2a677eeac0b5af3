//! `resync` and `set_back`: two codes in a row bring device and verifier together again.

use otp_core::Input;
use otp_core::decide::decoy;
use otp_core::resync::{Resync, resync};
use otp_core::set_back::{NotSetBack, SetBack, set_back};
use otp_store::{AuditRow, Whose};
use otp_wire::SecretText;
use otp_wire::message::{self, CredentialName, Outcome};

use crate::login::{answer, audit_row, check, judged, of_owner, only};
use crate::service::{Asked, Decision, Service, Stop};

impl Service {
    /// Judges two consecutive codes, at the same door as a login.
    pub(crate) fn resync(&self, asked: &Asked, ask: &message::Resync) -> Result<Outcome, Stop> {
        let (checked, only) = (check(asked, &ask.login)?, only(ask.credential.as_deref())?);
        let codes = inputs(&ask.codes);
        let (now, limits, row) = (asked.now, self.settings.limits, audit_row(asked, &ask.login));
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
            Decision { record, audit, outcome: answer(verdict, |refusal| checked.refused(refusal)) }
        })
    }

    /// Sets a last step back that lies in the future.
    pub(crate) fn set_back(&self, asked: &Asked, ask: &message::SetBack) -> Result<Outcome, Stop> {
        let name = CredentialName { account: ask.account.clone(), credential: ask.credential.clone() };
        let (owner, id) = self.named(asked, &name)?;
        let (used, ahead) = self.store.accepted(&owner, &id, asked.now)?;
        let (codes, now) = (inputs(&ask.codes), asked.now);
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

fn inputs(codes: &[SecretText; 2]) -> [Input; 2] {
    let [first, second] = codes;
    [first, second].map(|code| Input::parse(code.expose().as_bytes()))
}
