//! An sshd that asks by PAM, with a PAM configuration of its own laid over
//! /etc/pam.d in a mount namespace: the machine's own isn't touched.

use std::fs;
use std::path::Path;

use oathgate_tests::sshd::{Settings, Sshd};

/// Starts it; the module asks the verifier at `socket`.
pub fn start(folder: &Path, module: &Path, socket: &Path) -> Option<Sshd> {
    let stacks = folder.join("pam.d");
    fs::create_dir_all(&stacks).ok()?;
    fs::write(stacks.join("sshd"), stack(module, socket)).ok()?;
    let script = format!("mount --bind {} /etc/pam.d && exec \"$@\"", stacks.display());
    let settings = Settings {
        wrapper: ["unshare", "-m", "sh", "-c", &script, "sh"].map(Into::into).to_vec(),
        first: [
            "UsePAM yes",
            "KbdInteractiveAuthentication yes",
            "AuthenticationMethods publickey,keyboard-interactive",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Settings::default()
    };
    Some(Sshd::start(&settings))
}

/// The stack that the README shows, with the paths of this demonstration.
pub fn stack(module: &Path, socket: &Path) -> String {
    format!(
        "auth    required {} socket={}\naccount required pam_permit.so\nsession required pam_permit.so\n",
        module.display(),
        socket.display()
    )
}
