//! The encoder (ISO/IEC 18004): bytes in versions 1 to 10, with error correction of level M, which makes good for 15 %
//! of damage.

/// The most bytes that version 10 takes.
pub const LONGEST: usize = 213;

/// Modules to a side of version 10.
const MOST_SIDE: usize = 57;
/// Codewords of version 10, data and correction.
const MOST_WORDS: usize = 346;

/// What differs between versions, at level M.
struct Version {
    /// Codewords of correction in each block.
    correction: usize,
    /// Blocks, and data codewords in the shorter ones; the last `longer` blocks have one more.
    blocks: usize,
    data: usize,
    longer: usize,
    /// Centres of the alignment patterns, on either axis; 0 is none.
    centres: [usize; 3],
}

const fn version(
    correction: usize,
    blocks: usize,
    data: usize,
    longer: usize,
    centres: [usize; 3],
) -> Version {
    Version {
        correction,
        blocks,
        data,
        longer,
        centres,
    }
}

const VERSIONS: [Version; 10] = [
    version(10, 1, 16, 0, [0, 0, 0]),
    version(16, 1, 28, 0, [6, 18, 0]),
    version(26, 1, 44, 0, [6, 22, 0]),
    version(18, 2, 32, 0, [6, 26, 0]),
    version(24, 2, 43, 0, [6, 30, 0]),
    version(16, 4, 27, 0, [6, 34, 0]),
    version(18, 4, 31, 0, [6, 22, 38]),
    version(22, 4, 38, 2, [6, 24, 42]),
    version(22, 5, 36, 2, [6, 26, 46]),
    version(26, 5, 43, 1, [6, 28, 50]),
];

impl Version {
    fn data_words(&self) -> usize {
        self.blocks * self.data + self.longer
    }
}

/// The modules of a code, `side` by `side` of them in use: 1 is dark.
#[repr(C)]
pub struct Modules {
    dark: [u8; MOST_SIDE * MOST_SIDE],
    side: usize,
    /// Those that say something about the code itself, and carry no data.
    fixed: [bool; MOST_SIDE * MOST_SIDE],
}

/// Makes the code of a text. Its modules to a side, or 0 where the text is too long.
pub fn encode_into(text: &[u8], modules: &mut Modules) -> usize {
    let fits = |(i, version): &(usize, &Version)| {
        bytes(4 + count_bits(i + 1)) + text.len() <= version.data_words()
    };
    let (i, version) = match VERSIONS.iter().enumerate().find(fits) {
        Some(found) => found,
        None => return 0,
    };
    let number = i + 1;
    let mut words = [0; MOST_WORDS];
    let length = codewords(text, number, version, &mut words);

    *modules = Modules {
        side: 17 + 4 * number,
        ..Modules::EMPTY
    };
    modules.draw_patterns(number, version);
    modules.draw_words(&words[..length]);
    let mut best = (u32::MAX, 0);
    for mask in 0..8 {
        modules.draw_mask(mask);
        modules.draw_format(mask);
        let penalty = modules.penalty();
        if penalty < best.0 {
            best = (penalty, mask);
        }
        // A mask that is drawn twice is gone.
        modules.draw_mask(mask);
    }
    modules.draw_mask(best.1);
    modules.draw_format(best.1);
    modules.side
}

/// How many bytes that many bits take.
fn bytes(bits: usize) -> usize {
    (bits + 7) / 8
}

/// Bits of the field that says how many bytes there are.
fn count_bits(number: usize) -> usize {
    if number < 10 { 8 } else { 16 }
}

/// Data and correction as they are drawn, block by block in turns. Gives their number.
fn codewords(text: &[u8], number: usize, version: &Version, words: &mut [u8; MOST_WORDS]) -> usize {
    let mut data = [0; MOST_WORDS];
    fill(text, number, &mut data[..version.data_words()]);

    let mut generator = [0; 30];
    let generator = &mut generator[..version.correction];
    divisor(generator);

    let mut start = 0;
    for block in 0..version.blocks {
        let is_longer = block >= version.blocks - version.longer;
        let length = version.data + usize::from(is_longer);
        let part = &data[start..start + length];
        start += length;
        for (i, word) in part.iter().enumerate() {
            // The last word of longer blocks has no others beside it but those of longer blocks.
            let shorter = if i == version.data {
                version.blocks - version.longer
            } else {
                0
            };
            words[i * version.blocks + block - shorter] = *word;
        }
        let mut remainder = [0; 30];
        let remainder = &mut remainder[..version.correction];
        divide(part, generator, remainder);
        for (i, word) in remainder.iter().enumerate() {
            words[version.data_words() + i * version.blocks + block] = *word;
        }
    }
    version.data_words() + version.blocks * version.correction
}

/// The text with what stands before and after it.
fn fill(text: &[u8], number: usize, data: &mut [u8]) {
    let mut at = 0;
    let mut push = |value: usize, bits: usize| {
        for i in (0..bits).rev() {
            data[at / 8] |= ((value >> i & 1) as u8) << (7 - at % 8);
            at += 1;
        }
    };
    // Bytes.
    push(0b0100, 4);
    push(text.len(), count_bits(number));
    for byte in text {
        push(usize::from(*byte), 8);
    }
    // What follows the four bits of the end is as long as the version wants it. Those four fill up a byte: all before
    // them is whole bytes and a half.
    let end = bytes(at);
    for (i, word) in data[end..].iter_mut().enumerate() {
        *word = if i % 2 == 0 { 0xEC } else { 0x11 };
    }
}

/// A product in GF(2^8) with the polynomial 0x11D.
fn product(a: u8, b: u8) -> u8 {
    let mut out = 0_u8;
    for i in (0..8).rev() {
        out = (out << 1) ^ ((out >> 7) * 0x1D);
        out ^= (b >> i & 1) * a;
    }
    out
}

/// The generator polynomial of Reed-Solomon codes with as many words, without its leading 1.
fn divisor(out: &mut [u8]) {
    let degree = out.len();
    out[degree - 1] = 1;
    let mut root = 1;
    for _ in 0..degree {
        for i in 0..degree {
            out[i] = product(out[i], root);
            if i + 1 < degree {
                out[i] ^= out[i + 1];
            }
        }
        root = product(root, 2);
    }
}

/// The remainder: what is to be added to a block.
fn divide(data: &[u8], divisor: &[u8], remainder: &mut [u8]) {
    for word in data {
        let factor = word ^ remainder[0];
        remainder.rotate_left(1);
        let last = remainder.len() - 1;
        remainder[last] = 0;
        for (out, coefficient) in remainder.iter_mut().zip(divisor) {
            *out ^= product(*coefficient, factor);
        }
    }
}

impl Modules {
    pub const EMPTY: Self = Self {
        dark: [0; MOST_SIDE * MOST_SIDE],
        side: 0,
        fixed: [false; MOST_SIDE * MOST_SIDE],
    };

    fn at(&self, x: usize, y: usize) -> bool {
        self.dark[y * self.side + x] == 1
    }

    fn fix(&mut self, x: usize, y: usize, is_dark: bool) {
        self.dark[y * self.side + x] = u8::from(is_dark);
        self.fixed[y * self.side + x] = true;
    }

    /// What is in each code of the version.
    fn draw_patterns(&mut self, number: usize, version: &Version) {
        let last = self.side - 1;
        for i in 0..self.side {
            self.fix(6, i, i % 2 == 0);
            self.fix(i, 6, i % 2 == 0);
        }
        for (x, y) in [(3, 3), (last - 3, 3), (3, last - 3)] {
            self.draw_finder(x, y);
        }
        let centres = version.centres;
        let count = centres.iter().filter(|c| **c != 0).count();
        for (i, x) in centres[..count].iter().enumerate() {
            for (j, y) in centres[..count].iter().enumerate() {
                // Three corners have a finder.
                let is_corner = |k: usize| k == 0 || k == count - 1;
                if is_corner(i) && is_corner(j) && !(i == count - 1 && j == count - 1) {
                    continue;
                }
                self.draw_alignment(*x, *y);
            }
        }
        // Keeps its place; what it says comes with the mask.
        self.draw_format(0);
        if number >= 7 {
            self.draw_version(number);
        }
    }

    fn draw_finder(&mut self, x: usize, y: usize) {
        for dy in 0..9_usize {
            for dx in 0..9_usize {
                // One module of white lies around it, as far as the code goes.
                let (x, y) = (x + dx, y + dy);
                let distance = dx.abs_diff(4).max(dy.abs_diff(4));
                if (4..self.side + 4).contains(&x) && (4..self.side + 4).contains(&y) {
                    self.fix(x - 4, y - 4, distance != 2 && distance != 4);
                }
            }
        }
    }

    fn draw_alignment(&mut self, x: usize, y: usize) {
        for dy in 0..5_usize {
            for dx in 0..5_usize {
                let distance = dx.abs_diff(2).max(dy.abs_diff(2));
                self.fix(x + dx - 2, y + dy - 2, distance != 1);
            }
        }
    }

    /// Level and mask, twice.
    fn draw_format(&mut self, mask: u32) {
        // Level M is 0.
        let bits = ((mask << 10) | remainder(mask << 10, 0x537, 10)) ^ 0x5412;
        let side = self.side;
        for i in 0..15 {
            let is_dark = bits >> i & 1 == 1;
            let (x, y) = match i {
                0..=5 => (8, i),
                6 | 7 => (8, i + 1),
                8 => (7, 8),
                _ => (14 - i, 8),
            };
            self.fix(x, y, is_dark);
            let (x, y) = match i {
                0..=7 => (side - 1 - i, 8),
                _ => (8, side - 15 + i),
            };
            self.fix(x, y, is_dark);
        }
        self.fix(8, side - 8, true);
    }

    /// The number of the version, twice.
    fn draw_version(&mut self, number: usize) {
        let number = number as u32;
        let bits = (number << 12) | remainder(number << 12, 0x1F25, 12);
        for i in 0..18 {
            let is_dark = bits >> i & 1 == 1;
            let (a, b) = (self.side - 11 + i % 3, i / 3);
            self.fix(a, b, is_dark);
            self.fix(b, a, is_dark);
        }
    }

    /// Codewords in columns of two, upwards and downwards in turns.
    fn draw_words(&mut self, words: &[u8]) {
        let mut i = 0;
        let mut right = self.side - 1;
        let mut is_upward = true;
        loop {
            for step in 0..self.side {
                let y = if is_upward {
                    self.side - 1 - step
                } else {
                    step
                };
                for x in [right, right - 1] {
                    if !self.fixed[y * self.side + x] && i < words.len() * 8 {
                        self.dark[y * self.side + x] = words[i / 8] >> (7 - i % 8) & 1;
                        i += 1;
                    }
                }
            }
            // The column of the timing pattern is passed over.
            right = match right {
                1 => return,
                8 => 5,
                _ => right - 2,
            };
            is_upward = !is_upward;
        }
    }

    fn draw_mask(&mut self, mask: u32) {
        for y in 0..self.side {
            for x in 0..self.side {
                let is_inverted = match mask {
                    0 => (x + y) % 2 == 0,
                    1 => y % 2 == 0,
                    2 => x % 3 == 0,
                    3 => (x + y) % 3 == 0,
                    4 => (x / 3 + y / 2) % 2 == 0,
                    5 => x * y % 2 + x * y % 3 == 0,
                    6 => (x * y % 2 + x * y % 3) % 2 == 0,
                    _ => ((x + y) % 2 + x * y % 3) % 2 == 0,
                };
                let at = y * self.side + x;
                self.dark[at] ^= u8::from(is_inverted && !self.fixed[at]);
            }
        }
    }

    /// How hard the code is to read: long runs, blocks, what looks like a finder, and too much of one colour.
    fn penalty(&self) -> u32 {
        let mut all = 0;
        let mut dark = 0_u32;
        for y in 0..self.side {
            all += line_penalty(self.side, |x| self.at(x, y));
            all += line_penalty(self.side, |x| self.at(y, x));
            for x in 0..self.side {
                dark += u32::from(self.at(x, y));
                if x > 0 && y > 0 {
                    let first = self.at(x, y);
                    let is_block = [(x - 1, y), (x, y - 1), (x - 1, y - 1)]
                        .iter()
                        .all(|(x, y)| self.at(*x, *y) == first);
                    all += 3 * u32::from(is_block);
                }
            }
        }
        let modules = (self.side * self.side) as u32;
        all + (dark * 20).abs_diff(modules * 10) / modules * 10
    }
}

/// What a row or a column adds.
fn line_penalty(side: usize, at: impl Fn(usize) -> bool) -> u32 {
    /// A finder's core with white on one side: before it or behind it.
    const LIKE_FINDER: [u16; 2] = [0b000_0101_1101, 0b101_1101_0000];
    let mut all = 0;
    let mut run = 0;
    let mut window = 0_u16;
    for i in 0..side {
        run = if i > 0 && at(i) == at(i - 1) {
            run + 1
        } else {
            1
        };
        all += match run {
            5 => 3,
            6.. => 1,
            _ => 0,
        };
        window = (window << 1 | u16::from(at(i))) & 0x7FF;
        if i >= 10 && LIKE_FINDER.contains(&window) {
            all += 40;
        }
    }
    all
}

/// The remainder of polynomials over GF(2).
fn remainder(mut value: u32, divisor: u32, degree: u32) -> u32 {
    for i in (degree..degree + 7).rev() {
        if value >> i & 1 == 1 {
            value ^= divisor << (i - degree);
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_of_seven_words_is_the_standards() {
        let mut out = [0; 7];
        divisor(&mut out);
        assert_eq!(out, [127, 122, 154, 164, 11, 68, 117]);
    }

    #[test]
    fn format_and_version_are_the_standards() {
        assert_eq!(((5 << 10) | remainder(5 << 10, 0x537, 10)) ^ 0x5412, 0x40CE);
        assert_eq!((7 << 12) | remainder(7 << 12, 0x1F25, 12), 0x07C94);
    }

    #[test]
    fn each_version_takes_what_it_can_hold_and_no_more() {
        let mut modules = Modules::EMPTY;
        let most = [14, 26, 42, 62, 84, 106, 122, 152, 180, 213];
        for (i, most) in most.iter().enumerate() {
            let text = [b'a'; LONGEST + 1];
            assert_eq!(encode_into(&text[..*most], &mut modules), 21 + 4 * i);
            let next = if i == 9 { 0 } else { 25 + 4 * i };
            assert_eq!(encode_into(&text[..*most + 1], &mut modules), next);
        }
    }
}
