//! A code as an SVG.

use std::fmt::Write;

use zeroize::Zeroizing;

use super::Code;

/// The longest run of a row as it is written, in bytes.
const RUN: usize = "M123 123h123v1h-123z".len();

impl Code {
    /// The code as an SVG, black on white, one unit a module.
    #[must_use]
    pub fn svg(&self) -> Zeroizing<String> {
        let side = self.side();
        // Large enough that it never moves: what moves leaves a copy behind.
        let mut svg = Zeroizing::new(String::with_capacity(side * side.div_ceil(2) * RUN + 512));
        // Writing to a string can't fail.
        let _ = write!(
            *svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"{0}\" height=\"{0}\" \
             shape-rendering=\"crispEdges\">\n<path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/>\n<path d=\"",
            side * 8
        );
        for row in 0..side {
            for (column, length) in self.runs(row) {
                let _ = write!(*svg, "M{column} {row}h{length}v1h-{length}z");
            }
        }
        svg.push_str("\"/>\n</svg>\n");
        svg
    }

    /// Where dark modules begin in a row, and how many follow each other.
    fn runs(&self, row: usize) -> impl Iterator<Item = (usize, usize)> {
        let starts = move |column: usize| {
            self.is_dark(column, row) && !column.checked_sub(1).is_some_and(|before| self.is_dark(before, row))
        };
        let length = move |column: usize| (column..self.side()).take_while(|&next| self.is_dark(next, row)).count();
        (0..self.side()).filter(move |&column| starts(column)).map(move |column| (column, length(column)))
    }
}
