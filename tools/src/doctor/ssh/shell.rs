//! The login shell, which runs the forced command, and its start files, which
//! it runs before that.

use std::path::{Path, PathBuf};

use crate::doctor::finding::Finding;

/// What a login shell does with `-c COMMAND`.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// Runs it, after these start files: below the home, and the system's.
    Runs(&'static [&'static str], &'static [&'static str]),
    /// Never runs it.
    Never,
    Unknown,
}

/// bash reads its files where sshd is its parent, as Debian builds it (SSH_SOURCE_BASHRC).
fn kind(shell: &Path) -> Kind {
    match shell.file_name().and_then(|name| name.to_str()).unwrap_or_default() {
        "bash" => Kind::Runs(&[".bashrc"], &["/etc/bash.bashrc"]),
        "zsh" => Kind::Runs(&[".zshenv"], &["/etc/zsh/zshenv", "/etc/zshenv"]),
        "fish" => Kind::Runs(&[".config/fish/config.fish"], &["/etc/fish/config.fish"]),
        "tcsh" => Kind::Runs(&[".tcshrc", ".cshrc"], &["/etc/csh.cshrc"]),
        "csh" => Kind::Runs(&[".cshrc"], &["/etc/csh.cshrc"]),
        "sh" | "dash" | "ash" | "busybox" | "ksh" | "ksh93" | "mksh" | "yash" => Kind::Runs(&[], &[]),
        "nologin" | "false" | "true" | "git-shell" | "rbash" | "rzsh" | "rksh" | "scponly" | "rssh" | "sync" => {
            Kind::Never
        }
        _ => Kind::Unknown,
    }
}

/// The start files that run before the command.
pub fn start_files(shell: &Path, home: &Path) -> Vec<PathBuf> {
    match kind(shell) {
        Kind::Runs(own, system) => {
            own.iter().map(|name| home.join(name)).chain(system.iter().map(PathBuf::from)).collect()
        }
        Kind::Never | Kind::Unknown => vec![],
    }
}

/// Judges the shell itself.
pub fn judge(shell: &Path, account: &str) -> Option<Finding> {
    let name = shell.display();
    let finding = match kind(shell) {
        Kind::Runs(..) => return None,
        Kind::Never => Finding::bad(format!("{name} never runs a forced command: nobody gets in to {account}")),
        Kind::Unknown => Finding::unseen(format!("whether {name} runs a forced command is not known here")),
    };
    Some(finding.at("passwd(5)").change(format!("chsh -s /bin/bash {account}")))
}

/// What a start file does too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Early {
    Prints,
    Reads,
    Becomes,
    Runs,
}

/// Judges a start file, line by line, as far as it goes for a shell that
/// nobody types at. A reader's judgement, not a shell's.
pub fn start_file(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut skipping: Option<usize> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let body = line.trim();
        let indent = line.len() - line.trim_start().len();
        if let Some(outer) = skipping {
            skipping = skipping.filter(|_| indent != outer || !closes(body));
            continue;
        }
        if body.starts_with('#') {
            continue;
        }
        if stops(body) {
            break;
        }
        if opens_what_is_skipped(body) {
            skipping = Some(indent);
            continue;
        }
        findings
            .extend(commands(body).iter().find_map(|command| early(command)).map(|early| finding(path, number, early)));
    }
    findings
}

fn closes(body: &str) -> bool {
    let word = body.split([' ', ';']).next().unwrap_or_default();
    ["}", "fi", "end", "endif", "else", "elif"].contains(&word)
}

fn finding(path: &str, number: usize, early: Early) -> Finding {
    let finding = match early {
        Early::Prints => Finding::warning("prints before the code is asked: sftp, rsync and git break"),
        Early::Reads => Finding::warning("reads what the client sends, before the code is asked"),
        Early::Becomes => Finding::bad("becomes another program before the code is asked, which then never is"),
        Early::Runs => Finding::unseen("runs another file before the code is asked, which was not looked at"),
    };
    finding.at(format!("{path}:{number}")).change("do this in interactive shells only")
}

/// Where the file ends for a shell that nobody types at.
fn stops(body: &str) -> bool {
    let asks = body.contains("$-")
        || body.contains("$PS1")
        || body.contains("${PS1")
        || body.contains("interactive")
        || body.contains("?prompt");
    let leaves = body.contains("return") || body.contains("exit");
    // `case $- in` has its `return` a few lines on.
    (asks && leaves) || (body.starts_with("case") && body.contains("$-"))
}

/// A function, or a block for interactive shells only.
fn opens_what_is_skipped(body: &str) -> bool {
    let has = |signs: &[&str]| signs.iter().any(|sign| body.contains(sign));
    let name = body.split_once("()").map(|(name, _)| name);
    let function = body.starts_with("function ") || name.is_some_and(|name| !name.contains([' ', '$', '"']));
    let guard = body.starts_with("if ") && has(&["$-", "PS1", "interactive", "?prompt"]) && !has(&["-z", "!", " not "]);
    let whole = body.ends_with('}') || body.ends_with("fi") || body.ends_with("end");
    (function || guard) && !whole
}

/// The simple commands of a line, as words outside quotes and substitutions.
fn commands(body: &str) -> Vec<Vec<String>> {
    let mut found = vec![vec![]];
    let (mut word, mut quote, mut depth) = (String::new(), None, 0_usize);
    let mut characters = body.chars().chain([';']).peekable();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            (None, '#') if word.is_empty() => break,
            (None, ' ' | '\t' | ';' | '&' | '|' | '{' | '}') => {
                if !word.is_empty() {
                    found.last_mut().into_iter().for_each(|words| words.push(std::mem::take(&mut word)));
                }
                let or = c == '|' && characters.next_if_eq(&'|').is_some();
                match c {
                    ' ' | '\t' => {}
                    // What goes into a pipe is not printed.
                    '|' if !or => found.last_mut().into_iter().for_each(|words| words.clear()),
                    _ => found.push(vec![]),
                }
            }
            (None, c) => word.push(c),
        }
    }
    found
}

const WORDS: [&str; 7] = ["if", "then", "else", "do", "while", "!", "time"];

fn early(words: &[String]) -> Option<Early> {
    let mut words = words.iter().map(String::as_str).skip_while(|word| WORDS.contains(word) || word.contains('='));
    let command = words.next()?;
    match command {
        "echo" | "printf" | "cat" | "fortune" | "figlet" | "neofetch" | "fastfetch" | "screenfetch" | "clear"
        | "date" | "uptime" | "w" | "who" | "cowsay"
            if !words.any(|word| word.contains('>')) =>
        {
            Some(Early::Prints)
        }
        "read" | "select" | "vared" => Some(Early::Reads),
        "exec" => words
            .next()
            .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit() || c == '<' || c == '>' || c == '{'))
            .map(|_| Early::Becomes),
        "." | "source" => Some(Early::Runs),
        "tmux" | "screen" | "zellij" | "byobu" => Some(Early::Becomes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_that_never_run_the_command_are_named() {
        for shell in ["/bin/bash", "/bin/sh", "/usr/bin/zsh", "/usr/bin/fish", "/bin/tcsh", "/bin/dash"] {
            assert_eq!(judge(Path::new(shell), "alice"), None, "{shell}");
        }
        for (shell, text) in
            [("/usr/sbin/nologin", "never"), ("/usr/bin/git-shell", "never"), ("/opt/menu", "not known")]
        {
            assert!(judge(Path::new(shell), "alice").unwrap().line.contains(text), "{shell}");
        }
        let files = start_files(Path::new("/bin/zsh"), Path::new("/h"));
        assert_eq!(files[0], Path::new("/h/.zshenv"));
        assert!(start_files(Path::new("/bin/sh"), Path::new("/h")).is_empty());
    }

    #[test]
    fn harmless_start_files() {
        for text in [
            "# echo no\nexport PATH=\"$HOME/bin:$PATH\"\nalias x='echo y; read z'\n",
            "case $- in\n    *i*) ;;\n      *) return;;\nesac\necho welcome\n",
            "[ -z \"$PS1\" ] && return\necho welcome\n",
            "[[ $- != *i* ]] && return\nexec tmux\n",
            "if [ -n \"$PS1\" ]; then\n    echo welcome\nfi\n",
            "if status is-interactive\n    echo hi\nend\n",
            "greet() {\n    echo hello\n}\nfunction f {\n  read x\n}\n",
            "X=$(echo a; read b)\neval \"$(dircolors -b)\"\nY=`cat /etc/hostname`\n",
            "echo problem >&2\necho x > /dev/null\nprintf a>/tmp/x\nexec 3>&1\nexec <&-\n",
            "cat /etc/motd | while true; do :; done\n",
            "if (! $?prompt) exit\necho hi\n",
            "[[ -o interactive ]] || return\nsource ~/.more\n",
        ] {
            assert_eq!(start_file("f", text), [], "{text}");
        }
    }

    #[test]
    fn what_comes_too_early_is_named() {
        for (text, number, what) in [
            ("export A=b\necho \"welcome; friend\"\n", 2, "prints"),
            ("[ -f x ] && cat x\n", 1, "prints"),
            ("if [ -t 0 ]; then echo x; fi", 1, "prints"),
            ("fortune", 1, "prints"),
            ("case $TERM in\nx) ;;\nesac\nread -r answer", 4, "reads"),
            ("LC_ALL=C read x", 1, "reads"),
            ("exec tmux new", 1, "becomes"),
            ("exec zsh -l", 1, "becomes"),
            ("[ -x /bin/fish ] && { exec /bin/fish; }", 1, "becomes"),
            ("# interactive shells return here\nexec zsh", 2, "becomes"),
            ("if [ -z \"$PS1\" ]; then\n  exec zsh\nfi", 2, "becomes"),
            ("if [ -n \"$PS1\" ]; then\n  echo a\nelse\n  exec zsh\nfi", 4, "becomes"),
            ("if not status is-interactive\n  exec bash\nend", 2, "becomes"),
            (". \"$HOME/.cargo/env\"", 1, "runs another file"),
            ("[ -f ~/.more ] && source ~/.more", 1, "runs another file"),
            ("f() {\n  echo a\n}\ntmux attach", 4, "becomes"),
        ] {
            let findings = start_file("f", text);
            assert_eq!(findings.len(), 1, "{text}: {findings:?}");
            assert_eq!(findings[0].at.as_deref(), Some(format!("f:{number}").as_str()), "{text}");
            assert!(findings[0].line.starts_with(what), "{text}: {findings:?}");
        }
    }
}
