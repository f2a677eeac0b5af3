//! What the forced command costs a login.

#![allow(clippy::expect_used)]

use std::process::{Command, Stdio};

use oathgate_tests::built::bin;
use oathgate_tests::gated::{Enrolled, Real, socket};
use oathgate_tests::sshd::Client;
use serde_json::{Value, json};

use crate::numbers::{Series, round, shown};

/// Times of `true`, started in each way.
#[derive(Default)]
pub struct Gate {
    /// `ssh host true` over a connection that stays, through a plain key.
    plain: Series,
    /// The same behind the gate, with a fresh code each time.
    gated: Series,
    /// The program alone.
    bare: Series,
    /// Started by `ssh-otp`, which was told that the key needs no code.
    told: Series,
    /// Started by `ssh-otp`, which had a code judged and spent.
    judged: Series,
}

impl Gate {
    /// Measures so many logins; all ways take turns.
    pub fn measure(times: usize) -> Option<Self> {
        if times == 0 {
            return None;
        }
        let world = Real::new();
        let (alice, robot) = (world.enrol("alice"), world.enrol("robot"));
        world.service.administrator().policy(&world.account, &robot.key.fingerprint, "none");
        let key = world.sshd.key("plain");
        world.sshd.authorise(&key, "restrict,pty");
        let (_one, plain) = world.sshd.client(&key).master();
        let (_two, gated) = alice.client.master();
        let mut codes = (0..).map(|counter| alice.device.code(counter));
        let mut code = || codes.next().expect("no end of codes");
        let mut gate = Self::default();
        for turn in 0..=times {
            let mut this = Self::default();
            time(&mut this.plain, &mut ssh(&plain));
            time(&mut this.gated, ssh(&gated).env("LC_OTP", code()));
            time(&mut this.bare, &mut Command::new("/bin/true"));
            time(&mut this.told, &mut ssh_otp(&world, &robot));
            time(&mut this.judged, ssh_otp(&world, &alice).env("LC_OTP", code()));
            // The first turn loads what stays loaded.
            if turn > 0 {
                gate.append(this);
            }
        }
        println!("measured logins with and without the forced command");
        Some(gate)
    }

    fn append(&mut self, other: Self) {
        self.plain.append(other.plain);
        self.gated.append(other.gated);
        self.bare.append(other.bare);
        self.told.append(other.told);
        self.judged.append(other.judged);
    }

    /// What `ssh-otp` itself takes from its start to the exec, in microseconds.
    pub fn own(&self) -> f64 {
        self.told.median() - self.bare.median()
    }

    /// For people.
    pub fn print(&self) {
        let (plain, gated) = (self.plain.median(), self.gated.median());
        println!("\nThe forced command");
        println!(
            "  `ssh host true` over one connection: {} without it, {} with it and a code; {:.2} times, {} more",
            shown(plain),
            shown(gated),
            gated / plain,
            shown(gated - plain)
        );
        println!(
            "  ssh-otp from its start to the exec: {} where no code is needed, {} with one that is spent (p99 {})",
            shown(self.own()),
            shown(self.judged.median() - self.bare.median()),
            shown(self.judged.p99() - self.bare.median())
        );
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "ssh_plain": self.plain.json(), "ssh_gated": self.gated.json(), "bare": self.bare.json(),
            "no_code": self.told.json(), "code": self.judged.json(), "own_us": round(self.own()),
        })
    }
}

fn time(series: &mut Series, command: &mut Command) {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = series.time(|| command.status().expect("a program"));
    assert!(status.success(), "{command:?}: {status}");
}

fn ssh(client: &Client) -> Command {
    client.ssh(&["-T"], Some("true".as_ref()))
}

/// `ssh-otp` as sshd's shell would start it.
fn ssh_otp(world: &Real, person: &Enrolled) -> Command {
    let mut command = Command::new(bin("ssh-otp"));
    command.args(["--key", &person.key.fingerprint]).args(socket(&world.service.root_socket()).split_whitespace());
    command.args(["--", "/bin/true"]);
    command.env_clear().env("USER", &world.account).env("SHELL", "/bin/sh").env("HOME", "/");
    command
}
