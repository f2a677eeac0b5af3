//! The narrator: what is typed, what comes back, and whether it is as told.

use std::io::{IsTerminal, stdout};
use std::process::ExitCode;
use std::time::Instant;

/// Tells the tour, and counts what isn't as told.
pub struct Story {
    colour: bool,
    begun: Instant,
    step: u32,
    right: u32,
    wrong: u32,
}

impl Story {
    /// Begins.
    pub fn new() -> Self {
        let colour = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour, begun: Instant::now(), step: 0, right: 0, wrong: 0 }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A new step.
    pub fn step(&mut self, title: &str) {
        self.step += 1;
        println!("\n{}", self.paint("1", &format!("{}. {title}", self.step)));
    }

    /// What the guide says.
    pub fn say(&self, text: &str) {
        for line in text.lines() {
            println!("   {line}");
        }
    }

    /// A command as it is typed.
    pub fn typed(&self, command: &str) {
        println!("   {}", self.paint("36", &format!("$ {command}")));
    }

    /// What came back.
    pub fn back(&self, output: &str) {
        let output = output.replace('\r', "");
        for line in output.trim_end().lines() {
            let line = if is_qr(line) { self.paint("38;5;16;48;5;231", line) } else { line.to_owned() };
            println!("   {} {line}", self.paint("2", "|"));
        }
    }

    /// Says whether something is as told.
    pub fn check(&mut self, told: &str, so: bool) {
        let (mark, count) =
            if so { (self.paint("32", "ok"), &mut self.right) } else { (self.paint("31", "NOT SO"), &mut self.wrong) };
        *count += 1;
        println!("   {mark}: {told}");
    }

    /// The last words, and the exit code.
    pub fn end(&self) -> ExitCode {
        let seconds = self.begun.elapsed().as_secs();
        println!(
            "\n{} of {} things were as told, in {seconds} s. Nothing is left behind.",
            self.right,
            self.right + self.wrong
        );
        if self.wrong > 0 {
            println!("{}", self.paint("31", "Something was NOT as told: see above."));
            return ExitCode::FAILURE;
        }
        println!("\n{}", self.paint("1", "Next, on a server of your own:"));
        println!("   without root:   oathgate --user-store enrol --ssh-key ~/.ssh/id_ed25519.pub");
        println!("   with root:      sudo make install && sudo oathgate init");
        println!("   The README goes on from there; keep a second session open while you try.");
        ExitCode::SUCCESS
    }
}

/// Whether this is a line of a QR code, or of the quiet zone around one: it
/// scans only dark on light.
fn is_qr(line: &str) -> bool {
    line.chars().count() > 20 && line.chars().all(|c| matches!(c, ' ' | '\u{2580}' | '\u{2584}' | '\u{2588}'))
}
