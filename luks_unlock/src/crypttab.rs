//! Lines of crypttab(5), as far as codes for disks have to do with them.

/// A line that is no comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The name below /dev/mapper.
    pub name: &'a str,
    /// The device.
    pub device: &'a str,
    /// The key file; empty where there is none.
    pub key: &'a str,
    options: &'a str,
}

/// Where a volume's header can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source<'a> {
    /// On the device with this UUID.
    Uuid(&'a str),
    /// On a device, or in a file.
    Path(&'a str),
    /// On a device that is named in another way.
    Other(&'a str),
}

impl<'a> Line<'a> {
    /// Reads one; none where it is empty, a comment, or has no device.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (name, device) = (words.next().filter(|name| !name.starts_with('#'))?, words.next()?);
        let key = words.next().filter(|key| !matches!(*key, "none" | "-")).unwrap_or_default();
        Some(Self { name, device, key, options: words.next().unwrap_or_default() })
    }

    /// The value of an option, empty where it has none; nothing where the line
    /// does not have the option.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&'a str> {
        let pairs = self.options.split(',').map(|option| option.split_once('=').unwrap_or((option, "")));
        pairs.rev().find(|(its, _)| *its == name).map(|(_, value)| value)
    }

    /// Whether it has an option.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.option(name).is_some()
    }

    /// Where the header is: in the place of its own, where the options name one.
    #[must_use]
    pub fn source(&self) -> Source<'a> {
        let source = |text: &'a str| if text.starts_with('/') { Source::Path(text) } else { Source::Other(text) };
        match (self.option("header"), self.device.strip_prefix("UUID=")) {
            (Some(header), _) => source(header),
            (None, Some(uuid)) => Source::Uuid(uuid.trim_matches('"')),
            (None, None) => source(self.device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_four_fields_and_may_lack_two() {
        let line = Line::parse(" data\tUUID=\"0A-1\"  /run/key  luks,header=/a,tries=1,header=/boot/h.img ").unwrap();
        assert_eq!((line.name, line.device, line.key), ("data", "UUID=\"0A-1\"", "/run/key"));
        assert_eq!((line.option("tries"), line.option("luks"), line.has("nofail")), (Some("1"), Some(""), false));
        assert_eq!(line.source(), Source::Path("/boot/h.img"), "the last one holds");
        assert_eq!(Line::parse("data UUID=\"0A-1\" none").unwrap().source(), Source::Uuid("0A-1"));
        let short = Line::parse("disk /dev/vdb").unwrap();
        assert_eq!((short.key, short.source()), ("", Source::Path("/dev/vdb")));
        assert_eq!(
            Line::parse("a LABEL=x -").map(|line| (line.key, line.source())),
            Some(("", Source::Other("LABEL=x")))
        );
        for none in ["", "  ", "# data /dev/vdb", "#data /dev/vdb", "data"] {
            assert_eq!(Line::parse(none), None, "{none}");
        }
    }
}
