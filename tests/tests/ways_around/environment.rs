//! What the login shell goes by before it runs the forced command.

use std::fs;
use std::process::Command;

use oathgate_tests::process::run;

use crate::world::{World, came_around, kept_out};

/// Whatever a client could send: each would run `echo around` in some shell.
fn hostile(world: &World) -> Vec<(&'static str, String)> {
    let path = |name: &str| world.folder().join(name).display().to_string();
    fs::write(path("script"), SCRIPT).unwrap();
    fs::write(path(".zshenv"), SCRIPT).unwrap();
    library(world);
    vec![
        ("BASH_ENV", path("script")),
        // Some builds of bash read BASH_ENV only where they think that they are not sshd's.
        ("SHLVL", "5".to_owned()),
        ("ENV", path("script")),
        ("ZDOTDIR", path("")),
        ("BASH_FUNC_exec%%", "() { echo around; }".to_owned()),
        ("LD_PRELOAD", path("around.so")),
        ("LD_AUDIT", path("around.so")),
        ("SHELLOPTS", "xtrace".to_owned()),
        ("SSH_ORIGINAL_COMMAND", "echo around".to_owned()),
        ("SSH_USER_AUTH", "/etc/passwd".to_owned()),
        ("SSH_TTY", "/dev/null".to_owned()),
        ("PROMPT_COMMAND", "echo around".to_owned()),
    ]
}

const SCRIPT: &str = "echo around\nexit 0\n";

/// A library that a client may have laid there, with a log-in before this one.
fn library(world: &World) {
    let source = "#[used]\n#[unsafe(link_section = \".init_array\")]\nstatic START: extern \"C\" fn() = start;\n\
        extern \"C\" fn start() { println!(\"around\"); std::process::exit(0); }\n";
    fs::write(world.folder().join("around.rs"), source).unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "--crate-type", "cdylib", "-o", "around.so", "around.rs"]);
    let made = run(rustc.current_dir(world.folder()), b"");
    assert!(made.status.success(), "{}", made.stderr);
}

/// The variables with these names.
fn some<'a>(all: &'a [(&'static str, String)], names: &[&str]) -> Vec<(&'static str, &'a str)> {
    all.iter().filter(|(name, _)| names.contains(name)).map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn on_a_default_server_nothing_that_the_client_sends_runs_before_the_code() {
    for shell in ["/bin/bash", "/bin/sh", "/usr/bin/zsh"] {
        let Some(world) = World::gated(shell, &[]) else { continue };
        let hostile = hostile(&world);
        let mut all: Vec<(&str, &str)> = hostile.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend([("LC_ALL", "$(echo around)"), ("LC_OTP", "';echo around;'"), ("LANG", "() { :; }; echo around")]);
        kept_out(&world.try_with(&all));
        for remote in
            ["echo around", "';echo around;'", "$(echo around)", " -c 'echo around'", " --help", "\necho around"]
        {
            kept_out(&run(&mut world.client().ssh(&["-T"], Some(remote.as_ref())), b"echo around\n"));
        }
        kept_out(&run(&mut world.client().ssh(&["-T"], None), b"echo around\n"));
        let (code, findings) = world.doctor();
        // That the account's own file is the account's to change is worth a look.
        assert!(code == Some(0) && findings.len() == 1 && findings[0]["state"] == "warning", "{findings:#?}");
    }
}

/// A shell, what sshd_config lets through, and the variables that get around then.
const WAYS: [(&str, &str, &[&str]); 5] = [
    ("/bin/bash", "AcceptEnv *", &["BASH_ENV", "SHLVL"]),
    ("/bin/bash", "AcceptEnv BASH_*", &["BASH_FUNC_exec%%"]),
    ("/bin/bash", "AcceptEnv LD_*", &["LD_PRELOAD"]),
    ("/bin/sh", "AcceptEnv LANG L*", &["LD_PRELOAD"]),
    ("/usr/bin/zsh", "AcceptEnv Z*", &["ZDOTDIR"]),
];

#[test]
fn a_wide_accept_env_leads_around_and_doctor_names_it() {
    for (shell, setting, names) in WAYS {
        let Some(world) = World::gated(shell, &[setting]) else { continue };
        let hostile = hostile(&world);
        kept_out(&world.try_with(&[]));
        came_around(&world.try_with(&some(&hostile, names)));
        world.named(names[0], "sshd_config:1");
    }
}

#[test]
fn forged_variables_of_sshds_own_are_useless() {
    // Even where a server takes them.
    let Some(world) = World::gated("/bin/bash", &["AcceptEnv SSH_*"]) else { return };
    let names = ["SSH_ORIGINAL_COMMAND", "SSH_USER_AUTH", "SSH_TTY"];
    kept_out(&world.try_with(&some(&hostile(&world), &names)));
    world.named("SSH_ORIGINAL_COMMAND SSH_USER_AUTH SSH_TTY", "sshd_config:1");
}

#[test]
fn an_environment_of_the_persons_leads_around_and_doctor_names_it() {
    let Some(world) = World::gated("/bin/bash", &["PermitUserEnvironment yes"]) else { return };
    fs::write(world.folder().join("script"), SCRIPT).unwrap();
    let variable = format!("BASH_ENV={}/script", world.folder().display());
    kept_out(&world.try_with(&[]));
    world.write(".ssh/environment", &format!("{variable}\nSHLVL=5\n"));
    came_around(&world.try_with(&[]));
    world.named("~/.ssh/environment", "sshd_config:1");
    world.write(".ssh/environment", "");
    world.write(
        ".ssh/authorized_keys",
        &world.line(&format!("restrict,pty,environment=\"{variable}\",environment=\"SHLVL=5\",")),
    );
    came_around(&world.try_with(&[]));
    world.named("environment= sets", ".ssh/authorized_keys:1");
}

#[test]
fn start_files_lead_around_and_doctor_names_them() {
    let Some(world) = World::gated("/bin/bash", &[]) else { return };
    // The session's HOME is another one here.
    fs::write(world.sshd.home().join(".bashrc"), "exec echo around\n").unwrap();
    world.write(".bashrc", "# mine\nexec echo around\n");
    came_around(&world.try_with(&[]));
    world.named("becomes another program", ".bashrc:2");
}
