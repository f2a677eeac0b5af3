//! A text as dark and light modules.

use qrcode::{Color, EcLevel, QrCode};
use zeroize::Zeroizing;

use super::Error;

/// Light modules around the code (ISO/IEC 18004).
const QUIET: usize = 4;

/// A QR code with its quiet zone. Holds a secret, and is wiped.
pub struct Code {
    dark: Zeroizing<Vec<bool>>,
    side: usize,
}

impl Code {
    /// The QR code of `text`.
    ///
    /// # Errors
    /// When the text is too long for one.
    pub fn of(text: &str) -> Result<Self, Error> {
        // A screen is flat and clean: the lowest correction makes the largest modules.
        let code = QrCode::with_error_correction_level(text, EcLevel::L).map_err(|_| Error::Text(text.len()))?;
        let inner = code.width();
        let mut colours = code.into_colors();
        let side = inner + 2 * QUIET;
        let mut dark = Zeroizing::new(vec![false; side * side]);
        for (index, colour) in colours.iter_mut().enumerate() {
            let place = (index / inner + QUIET) * side + index % inner + QUIET;
            if let Some(place) = dark.get_mut(place) {
                *place = *colour == Color::Dark;
            }
            *colour = Color::Light;
        }
        Ok(Self { dark, side })
    }

    /// Modules on a side, the quiet zone included.
    #[must_use]
    pub fn side(&self) -> usize {
        self.side
    }

    /// Whether the module there is dark; outside of the code none is.
    #[must_use]
    pub fn is_dark(&self, column: usize, row: usize) -> bool {
        column < self.side && self.dark.get(row * self.side + column).copied().unwrap_or(false)
    }
}
