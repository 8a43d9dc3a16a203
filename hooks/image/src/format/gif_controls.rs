//! What GIF says before each page, of which the `gif` crate keeps too little: it takes a delay that is not there for none, and
//! knows three ways of disposal.

/// How a page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Control {
    /// In hundredths of a second.
    pub(super) delay: u16,
    pub(super) disposal: Disposal,
}

/// What becomes of the part of the canvas that a page covers, when its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disposal {
    Keep,
    Background,
    /// What was there before.
    Previous,
}

impl Default for Control {
    /// Of a page before which nothing is said.
    fn default() -> Self {
        Self {
            delay: 10,
            disposal: Disposal::Keep,
        }
    }
}

impl Control {
    /// What an extension says.
    fn of(block: &[u8]) -> Option<Self> {
        let [packed, low, high, ..] = block else {
            return None;
        };
        Some(Self {
            delay: u16::from_le_bytes([*low, *high]),
            disposal: match packed >> 2 & 7 {
                2 => Disposal::Background,
                // Older programs wrote 4 for 3.
                3 | 4 => Disposal::Previous,
                _ => Disposal::Keep,
            },
        })
    }
}

/// Those of a file, one for each page.
pub(super) struct Controls<'a>(&'a [u8]);

impl<'a> Controls<'a> {
    pub(super) fn of(file: &'a [u8]) -> Self {
        let mut walk = Self(file);
        let screen = walk.cut(13).unwrap_or_default();
        walk.skip_palette(screen.get(10).copied().unwrap_or(0));
        walk
    }

    fn cut(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn skip_palette(&mut self, flags: u8) {
        if flags & 0x80 != 0 {
            let _palette = self.cut(6 << (flags & 7));
        }
    }

    /// Skips blocks, and hands out the first.
    fn blocks(&mut self) -> Option<&'a [u8]> {
        let mut first = None;
        loop {
            let length = self.byte()?;
            if length == 0 {
                return Some(first.unwrap_or_default());
            }
            let block = self.cut(length.into())?;
            first = first.or(Some(block));
        }
    }
}

impl Iterator for Controls<'_> {
    type Item = Control;

    fn next(&mut self) -> Option<Self::Item> {
        const EXTENSION: u8 = 0x21;
        const CONTROL: u8 = 0xf9;
        const IMAGE: u8 = 0x2c;
        let mut control = Control::default();
        loop {
            match self.byte()? {
                EXTENSION => {
                    let label = self.byte()?;
                    let first = self.blocks()?;
                    if label == CONTROL {
                        control = Control::of(first).unwrap_or(control);
                    }
                }
                IMAGE => {
                    let place = self.cut(9)?;
                    self.skip_palette(place.last().copied().unwrap_or(0));
                    let _code_size = self.byte();
                    let _pixels = self.blocks();
                    return Some(control);
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_shown_as_is_said_before_them() {
        // NC-116: two pages, the second without a word
        let mut file = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
        file.extend_from_slice(b"\x21\xfe\x02hi\0\x21\xf9\x04\x10\x05\0\0\0");
        for _ in 0..2 {
            file.extend_from_slice(b"\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0");
        }
        file.push(0x3b);
        let found: Vec<_> = Controls::of(&file).collect();
        let first = Control {
            delay: 5,
            disposal: Disposal::Previous,
        };
        assert_eq!(found, [first, Control::default()]);
        for length in 0..file.len() {
            assert!(Controls::of(&file[..length]).count() <= 2);
        }
    }
}
