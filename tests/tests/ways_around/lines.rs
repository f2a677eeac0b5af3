//! Lines of authorized_keys, and logins that never come to them.

use oathgate_tests::process::{Finished, run};

use crate::world::{World, came_around, kept_out};

fn log_in(world: &World) -> Finished {
    world.client().run("echo around", None)
}

#[test]
fn an_earlier_plain_line_leads_around_and_doctor_names_it() {
    let Some(world) = World::gated("/bin/sh", &[]) else { return };
    kept_out(&log_in(&world));
    let plain = format!("# mine\n{} walker@home\n", world.key.public);
    world.write(".ssh/authorized_keys", &(plain.clone() + &world.line("restrict,pty,")));
    came_around(&log_in(&world));
    world.named("sshd takes this line", ".ssh/authorized_keys:2");
    // The other way round, sshd never comes to it.
    world.write(".ssh/authorized_keys", &(world.line("restrict,pty,") + &plain));
    kept_out(&log_in(&world));
    // Unless the line that asks holds for other addresses only.
    world.write(".ssh/authorized_keys", &(world.line("from=\"192.0.2.9\",restrict,pty,") + &plain));
    came_around(&log_in(&world));
    world.named("does not hold", ".ssh/authorized_keys:3");
}

#[test]
fn a_line_with_two_commands_is_passed_over_and_doctor_names_it() {
    let Some(world) = World::gated("/bin/sh", &[]) else { return };
    let broken = world.line("command=\"true\",restrict,pty,");
    world.write(".ssh/authorized_keys", &broken);
    assert_eq!(log_in(&world).code(), Some(255));
    world.named("two command=", ".ssh/authorized_keys:1");
    world.write(".ssh/authorized_keys", &format!("{broken}{}\n", world.key.public));
    came_around(&log_in(&world));
    world.named("comes in without a code", ".ssh/authorized_keys:2");
}

#[test]
fn the_second_file_leads_around_and_doctor_names_it() {
    let Some(world) = World::gated("/bin/sh", &[]) else { return };
    let second = world.sshd.key("second");
    let client = world.sshd.client(&second).user(crate::world::ACCOUNT);
    assert_eq!(client.run("echo around", None).code(), Some(255));
    world.write(".ssh/authorized_keys2", &format!("{}\n", second.public));
    came_around(&client.run("echo around", None));
    world.named(&second.fingerprint, ".ssh/authorized_keys2:1");
}

#[test]
fn a_shell_behind_the_gate_leads_around_and_doctor_names_it() {
    let Some(world) = World::gated("/bin/sh", &[]) else { return };
    let line = world
        .line("restrict,pty,")
        .replace("exec ", "")
        .replace("/nonexistent\"", "/nonexistent; eval $SSH_ORIGINAL_COMMAND\"");
    world.write(".ssh/authorized_keys", &line);
    came_around(&log_in(&world));
    world.named("not sure to ask", ".ssh/authorized_keys:1");
}

#[test]
fn the_persons_rc_leads_around_and_doctor_names_it() {
    let Some(world) = World::gated("/bin/sh", &[]) else { return };
    world.write(".ssh/rc", "echo around\n");
    kept_out(&log_in(&world));
    world.write(".ssh/authorized_keys", &world.line("no-port-forwarding,no-agent-forwarding,no-X11-forwarding,pty,"));
    came_around(&log_in(&world));
    world.named("~/.ssh/rc runs", ".ssh/authorized_keys:1");
}

#[test]
fn a_password_leads_around_and_doctor_names_it() {
    let Some(world) = World::gated("/bin/sh", &["PasswordAuthentication yes"]) else { return };
    came_around(&world.by_password("password", ""));
    world.named("password logs in to walker without a code", "sshd_config:1");
}

#[test]
fn a_forced_command_of_the_servers_leads_around_and_doctor_names_it() {
    let Some(world) = World::gated("/bin/sh", &["ForceCommand echo around"]) else { return };
    came_around(&log_in(&world));
    world.named("runs instead of the command", "sshd_config:1");
}

#[test]
fn an_authority_leads_around_and_doctor_names_it() {
    let Some(world) = World::gated("/bin/sh", &[]) else { return };
    let (authority, own) = (world.sshd.key("authority"), world.sshd.key("certified"));
    let mut sign = std::process::Command::new("ssh-keygen");
    sign.args(["-q", "-I", "one", "-n", crate::world::ACCOUNT, "-s"])
        .arg(&authority.path)
        .arg(own.path.with_extension("pub"));
    assert!(run(&mut sign, b"").status.success());
    let client = world.sshd.client(&own).user(crate::world::ACCOUNT);
    assert_eq!(client.run("echo around", None).code(), Some(255));
    world.write(
        ".ssh/authorized_keys",
        &format!("{}cert-authority {}\n", world.line("restrict,pty,"), authority.public),
    );
    came_around(&client.run("echo around", None));
    world.named("certificate of this authority", ".ssh/authorized_keys:2");
}
