//! The tour itself.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use oathgate_tests::built::bin;
use oathgate_tests::oathgated::Oathgated;
use oathgate_tests::process::{Finished, run as run_command};
use oathgate_tests::sshd::{Client, Key, Settings, Sshd, id};

use crate::pam;
use crate::phone::Phone;
use crate::story::Story;

/// Everything the tour plays with.
struct Stage {
    service: Oathgated,
    sshd: Sshd,
    user: String,
}

/// Somebody's key, and the authenticator for it.
struct Person {
    key: Key,
    phone: Phone,
    scratch: Vec<String>,
}

/// Leads through everything.
pub fn run(story: &mut Story) {
    story.say("This tour runs a real sshd on loopback and logs in with the real ssh, scp and sftp.");
    story.say("Everything lives in temporary folders; your own sshd, keys and PAM are not touched.");
    let stage = Stage { service: Oathgated::start(), sshd: Sshd::start(&Settings::default()), user: id("-un") };

    story.step("Two SSH keys of one account, each with a secret of its own");
    let laptop = enrol_shown(story, &stage);
    let (Some(mut laptop), Some(mut desktop)) = (laptop, enrol_quietly(story, &stage)) else {
        return story.check("both keys are enrolled", false);
    };
    story.check("two keys, two different secrets", laptop.phone != desktop.phone);

    let code = log_in(story, &stage, &mut laptop);
    replay(story, &stage, &laptop, &code);
    wrong_key(story, &stage, &laptop, &mut desktop);
    scratch(story, &stage, &laptop);
    copy(story, &stage, &mut laptop);
    refuse_at_once(story, &stage, &laptop);
    without_code(story, &stage);
    if rustix::process::geteuid().is_root() {
        by_pam(story, &stage, &laptop, &mut desktop);
    } else {
        story.step("The same account by PAM");
        story.say("Left out: a PAM login needs root. Run `sudo make demo` to see it.");
    }
    what_happened(story, &stage);
}

/// The tool, as root's or as the service's own user.
fn oathgate(stage: &Stage, words: &[&str]) -> Finished {
    let mut command = Command::new(bin("oathgate"));
    run_command(command.arg("--socket").arg(stage.service.root_socket()).args(words), b"")
}

fn enrol_shown(story: &mut Story, stage: &Stage) -> Option<Person> {
    let key = stage.sshd.key("laptop");
    let file = key.path.with_extension("pub");
    let words = ["enrol", &stage.user, "--ssh-key", file.to_str()?, "--label", "laptop", "--no-confirm"];
    story.typed(&format!("oathgate enrol {} --ssh-key laptop.pub --label laptop --no-confirm", stage.user));
    let enrolled = oathgate(stage, &words);
    story.back(&(enrolled.text() + &enrolled.stderr));
    story.check(
        "a credential for the key \"laptop\", with its QR code and ten scratch codes",
        enrolled.code() == Some(0),
    );
    let phone = Phone::scan(&enrolled.text())?;
    let is_scratch = |word: &&str| word.len() == 19 && word.split('-').all(|group| group.len() == 4);
    let text = enrolled.text();
    let scratch: Vec<String> = text.split_whitespace().filter(is_scratch).map(str::to_owned).collect();
    install(story, stage, &key);
    (scratch.len() == 10).then_some(Person { key, phone, scratch })
}

fn enrol_quietly(story: &mut Story, stage: &Stage) -> Option<Person> {
    let key = stage.sshd.key("desktop");
    let file = key.path.with_extension("pub");
    story.typed(&format!("oathgate enrol {} --ssh-key desktop.pub --label desktop --json", stage.user));
    story.say("(a second one, as a program would; its output is not shown here)");
    let enrolled =
        oathgate(stage, &["enrol", &stage.user, "--ssh-key", file.to_str()?, "--label", "desktop", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&enrolled.stdout).ok()?;
    let phone = Phone::scan(json.get("uri")?.as_str()?)?;
    install(story, stage, &key);
    Some(Person { key, phone, scratch: vec![] })
}

/// The line in authorized_keys that asks for the code.
fn install(story: &Story, stage: &Stage, key: &Key) {
    let command = format!(
        "exec {} --key {} --socket {}",
        bin("ssh-otp").display(),
        key.fingerprint,
        stage.service.public_socket().display()
    );
    stage.sshd.authorise(key, &format!("restrict,pty,command=\"{command}\""));
    story.say(&format!(
        "authorized_keys: restrict,pty,command=\"exec ssh-otp --key {}\" ssh-ed25519 …",
        key.fingerprint
    ));
}

fn client(stage: &Stage, key: &Key) -> Client {
    stage.sshd.client(key)
}

fn log_in(story: &mut Story, stage: &Stage, person: &mut Person) -> String {
    story.step("A login with the code of the key");
    let code = person.phone.code();
    story.typed("ssh -i laptop host");
    story.say(&format!("(the phone shows {code}, which is typed at the prompt; then a command in the shell)"));
    let mut session = client(stage, &person.key).session(None);
    session.expect("Code (laptop): ");
    session.send(&format!("{code}\r"));
    session.send("echo I am $(id -un)\rexit\r");
    let (status, shown) = session.wait();
    let greeting = format!("I am {}", stage.user);
    let interesting: Vec<&str> =
        shown.lines().filter(|line| line.contains("Code (") || line.ends_with(&greeting)).collect();
    story.back(&interesting.join("\n"));
    story.check("the right code opens a shell", status == Some(0) && shown.contains(&greeting));
    story.check("the code is not echoed", !shown.contains(&code));
    code
}

fn replay(story: &mut Story, stage: &Stage, person: &Person, code: &str) {
    story.step("The same code again");
    story.typed(&format!("LC_OTP={code} ssh -i laptop host id"));
    let again = client(stage, &person.key).run("id", Some(code));
    story.back(&again.stderr);
    story.check(
        "a used code is refused, and it is said why",
        again.code() == Some(1) && again.stderr.contains("already used"),
    );
}

fn wrong_key(story: &mut Story, stage: &Stage, person: &Person, other: &mut Person) {
    story.step("The other key's code");
    let code = other.phone.code();
    story.typed(&format!("LC_OTP={code} ssh -i laptop host id        # the code of the key \"desktop\""));
    let wrong = client(stage, &person.key).run("id", Some(&code));
    story.back(&wrong.stderr);
    story.check("a code counts for its own key only", wrong.code() == Some(1) && wrong.stdout.is_empty());
}

fn scratch(story: &mut Story, stage: &Stage, person: &Person) {
    story.step("The phone is lost: a scratch code");
    let code = &person.scratch[0];
    for (first, told) in [(true, "a scratch code lets in"), (false, "but only once")] {
        story.typed(&format!("LC_OTP={code} ssh -i laptop host echo in"));
        let tried = client(stage, &person.key).run("echo in", Some(code));
        story.back(&(tried.text() + &tried.stderr));
        let is_in = tried.code() == Some(0) && tried.text() == "in\n";
        story.check(told, is_in == first);
    }
}

fn copy(story: &mut Story, stage: &Stage, person: &mut Person) {
    story.step("scp and sftp, the code in LC_OTP");
    let folder = stage.sshd.folder();
    let content = "the quick brown fox\n".repeat(1000);
    if fs::write(folder.join("letter"), &content).is_err() {
        return story.check("a file to copy", false);
    }
    let there = |name: &str| format!("127.0.0.1:{}", folder.join(name).display());
    let arrived = |name: &str| fs::read_to_string(folder.join(name)).is_ok_and(|text| text == content);
    let code = person.phone.code();
    story.typed(&format!("LC_OTP={code} scp -i laptop letter host:copied"));
    let mut scp = client(stage, &person.key).command("scp");
    let copied = run_command(scp.args(["-q", "letter", &there("copied")]).env("LC_OTP", &code), b"");
    story.back(&copied.stderr);
    story.check("scp copies", copied.code() == Some(0) && arrived("copied"));
    let code = person.phone.code();
    story.typed(&format!("echo put letter sent | LC_OTP={code} sftp -i laptop host"));
    let mut sftp = client(stage, &person.key).command("sftp");
    let line = format!("put letter {}\n", folder.join("sent").display());
    let sent = run_command(sftp.args(["-q", "127.0.0.1"]).env("LC_OTP", &code), line.as_bytes());
    story.back(&sent.stderr);
    story.check("sftp sends", sent.code() == Some(0) && arrived("sent"));
}

fn refuse_at_once(story: &mut Story, stage: &Stage, person: &Person) {
    story.step("scp without a code");
    story.typed("scp -i laptop letter host:never");
    let mut scp = client(stage, &person.key).command("scp");
    let never = stage.sshd.folder().join("never");
    let refused = run_command(scp.args(["letter", &format!("127.0.0.1:{}", never.display())]), b"");
    story.back(&refused.stderr);
    let ms = refused.took.as_millis();
    story.check(
        &format!("refused after {ms} ms, instead of hanging"),
        refused.code() != Some(0) && ms < 5000 && !never.exists(),
    );
    let refused = client(stage, &person.key).run("id", None);
    story.typed("ssh -T -i laptop host id");
    story.back(&refused.stderr);
    story.check("a command is told what to do", refused.code() == Some(1) && refused.stderr.contains("LC_OTP"));
}

fn without_code(story: &mut Story, stage: &Stage) {
    story.step("A key for the nightly back-up: policy none");
    let key = stage.sshd.key("backup");
    install(story, stage, &key);
    let refused = client(stage, &key).run("echo in", None);
    story.check("an unknown key is refused first", refused.code() == Some(1));
    let name = key.fingerprint.as_str();
    for words in [
        vec!["key", "add", name, "--account", &stage.user, "--note", "backup"],
        vec!["key", "policy", name, "none", "--account", &stage.user],
    ] {
        story.typed(&format!("oathgate {}", words.join(" ")));
        let done = oathgate(stage, &words);
        story.back(&(done.text() + &done.stderr));
    }
    story.typed("ssh -i backup host echo in");
    let passed = client(stage, &key).run("echo in", None);
    story.back(&(passed.text() + &passed.stderr));
    story.check("no code is asked for", passed.code() == Some(0) && passed.text() == "in\n");
}

fn module() -> PathBuf {
    bin("oathgate").with_file_name("libpam_oathgate.so")
}

fn by_pam(story: &mut Story, stage: &Stage, stranger: &Person, person: &mut Person) {
    story.step("The same account by PAM: the key first, then its code");
    story.say("sshd_config: AuthenticationMethods publickey,keyboard-interactive");
    story.say("/etc/pam.d/sshd: auth required pam_oathgate.so");
    let Some(server) = pam::start(
        stage.service.store().parent().unwrap_or(stage.sshd.folder()),
        &module(),
        &stage.service.root_socket(),
    ) else {
        return story.check("an sshd with PAM", false);
    };
    server.authorise(&person.key, "");
    server.authorise(&stranger.key, "");
    let code = person.phone.code();
    for (who, key, told, good) in [
        ("laptop", &stranger.key, "the code of \"desktop\" does not open the key \"laptop\"", false),
        ("desktop", &person.key, "it opens the key \"desktop\"", true),
        ("desktop", &person.key, "and only once, whichever way it is used", false),
    ] {
        story.typed(&format!("ssh -i {who} host echo in        # Verification code: {code}"));
        let tried = answer_prompt(&server, key, &code);
        story.back(&(tried.text() + &tried.stderr));
        story.check(told, (tried.code() == Some(0) && tried.text() == "in\n") == good);
    }
}

/// Logs in and answers the prompt with `code`, once.
fn answer_prompt(server: &Sshd, key: &Key, code: &str) -> Finished {
    let client = server
        .client(key)
        .option("PreferredAuthentications=publickey,keyboard-interactive")
        .option("NumberOfPasswordPrompts=1");
    let askpass = server.folder().join("askpass");
    let script = fs::write(&askpass, "#!/bin/sh\ncat \"$HOME/code\"\n").and_then(|()| {
        fs::write(server.folder().join("code"), format!("{code}\n"))?;
        fs::set_permissions(&askpass, std::os::unix::fs::PermissionsExt::from_mode(0o700))
    });
    let mut command = client.ssh(&["-T"], Some("echo in".as_ref()));
    if script.is_ok() {
        command.env("SSH_ASKPASS", &askpass).env("SSH_ASKPASS_REQUIRE", "force");
    }
    run_command(&mut command, b"")
}

fn what_happened(story: &mut Story, stage: &Stage) {
    story.step("What happened");
    story.typed(&format!("oathgate audit {}", stage.user));
    let audit = oathgate(stage, &["audit", &stage.user]);
    story.back(&(audit.text() + &audit.stderr));
    story.check(
        "every verdict is in the audit, and no code",
        audit.code() == Some(0) && audit.text().contains("accept"),
    );
}
