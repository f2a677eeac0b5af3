//! Man pages and completions, from the definition of the command line.

use std::path::Path;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::error::Failure;
use crate::output::Output;

/// Writes `oathgate.1` and a page for each verb into `folder`.
///
/// # Errors
/// When they can't be written.
pub fn man(folder: &Path) -> Result<(), Failure> {
    clap_mangen::generate_to(Cli::command(), folder)
        .map_err(|error| Failure::undecided(format!("can't write man pages into {}: {error}", folder.display())))
}

/// Prints completions for `shell`.
///
/// # Errors
/// When they can't be written.
pub fn completions(shell: clap_complete::Shell, out: &mut Output) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "oathgate", &mut text);
    out.print(&String::from_utf8_lossy(&text))
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;

    fn visit(command: &mut Command, look: &mut impl FnMut(&mut Command)) {
        look(command);
        command.get_subcommands_mut().for_each(|verb| visit(verb, look));
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_is_in_the_help_and_in_the_man_page() {
        let mut command = Cli::command();
        command.build();
        let (mut verbs, mut flags) = (0, 0);
        visit(&mut command, &mut |verb| {
            let mut page = Vec::new();
            clap_mangen::Man::new(verb.clone()).render(&mut page).unwrap();
            let page = String::from_utf8(page).unwrap().replace('\\', "");
            let help = verb.render_long_help().to_string();
            verbs += 1;
            for argument in verb.get_arguments() {
                let Some(flag) = argument.get_long() else { continue };
                flags += 1;
                let flag = format!("--{flag}");
                assert!(help.contains(&flag), "{flag} in the help of {}", verb.get_name());
                assert!(page.contains(&flag), "{flag} in the man page of {}", verb.get_name());
                assert!(argument.get_help().is_some(), "{flag} of {} says what it does", verb.get_name());
            }
        });
        assert!(verbs > 20 && flags > 80, "{verbs} verbs, {flags} flags");
    }

    #[test]
    fn pages_are_written() {
        let folder = tempfile::tempdir().unwrap();
        man(folder.path()).unwrap();
        for page in ["oathgate.1", "oathgate-enrol.1", "oathgate-ssh-install.1", "oathgate-key-policy.1"] {
            assert!(folder.path().join(page).exists(), "{page}");
        }
        assert!(man(&folder.path().join("missing")).is_err());
    }
}
