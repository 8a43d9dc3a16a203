//! EXIF: the two fields that change what a picture is, and writing fields.

use std::io::Cursor;

use ::exif::{Context, Field, In, Rational, SRational, Tag, Value, experimental::Writer};

/// What stands before the block in a JPEG file, and in what functions are shown.
pub(crate) const PREFIX: &[u8] = b"Exif\0\0";

/// Entries of a directory that are looked at. Cameras write some dozens.
const MOST_ENTRIES: u16 = 1024;
/// Texts of one field: those of a photographer and an editor, and a few more.
const MOST_TEXTS: usize = 8;

/// What is read of a block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exif {
    /// 1 to 8.
    pub(crate) orientation: Option<u8>,
    /// Pixels an inch.
    pub(crate) density: Option<u32>,
}

impl Exif {
    /// Reads a block, with or without its prefix. What does not read says nothing.
    pub(crate) fn read(block: &[u8]) -> Self {
        let Some((directories, first)) = Directories::open(block) else {
            return Self::default();
        };
        let find = |tag: Tag| directories.entries(first).find(|e| e.tag == tag.number());
        let whole = |tag: Tag| find(tag).and_then(|e| e.value()?.get_uint(0));
        let orientation = whole(Tag::Orientation)
            .and_then(|v| u8::try_from(v).ok())
            .filter(|v| (1..=8).contains(v));
        const CENTIMETRES: u32 = 3;
        let density = find(Tag::XResolution).and_then(|e| match e.value()? {
            Value::Rational(values) => Some(values.first()?.to_f64()),
            _ => None,
        });
        let unit = whole(Tag::ResolutionUnit);
        Self {
            orientation,
            density: density
                .map(|v| {
                    if unit == Some(CENTIMETRES) {
                        v * 2.54
                    } else {
                        v
                    }
                })
                .and_then(crate::number::rounded)
                .filter(|v| *v > 0),
        }
    }
}

/// A block's directories. Each is read once and by itself: strangers make blocks whose directories lie in each other, and what
/// reads all that hangs together takes time and memory by the square of their number.
struct Directories<'a> {
    bytes: &'a [u8],
    is_big_endian: bool,
}

impl<'a> Directories<'a> {
    /// A block's, and where the first one is.
    fn open(block: &'a [u8]) -> Option<(Self, usize)> {
        let bytes = block.strip_prefix(PREFIX).unwrap_or(block);
        let is_big_endian = match bytes.get(..4)? {
            b"II*\0" => false,
            b"MM\0*" => true,
            _ => return None,
        };
        let all = Self {
            bytes,
            is_big_endian,
        };
        let first = all.long(4)?;
        Some((all, first as usize))
    }

    fn short(&self, at: usize) -> Option<u16> {
        let bytes: [u8; 2] = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_big_endian {
            u16::from_be_bytes(bytes)
        } else {
            u16::from_le_bytes(bytes)
        })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes: [u8; 4] = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.is_big_endian {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        })
    }

    /// What a directory has, without what does not lie in the block.
    fn entries(&self, directory: usize) -> impl Iterator<Item = Entry<'a>> {
        let count = self.short(directory).unwrap_or(0).min(MOST_ENTRIES);
        (0..usize::from(count)).filter_map(move |n| self.entry(directory.checked_add(2 + 12 * n)?))
    }

    fn entry(&self, at: usize) -> Option<Entry<'a>> {
        let kind = self.short(at + 2)?;
        let width = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 => 4,
            5 | 10 | 12 => 8,
            _ => return None,
        };
        let size = usize::try_from(self.long(at + 4)?)
            .ok()?
            .checked_mul(width)?;
        let begin = if size <= 4 {
            at + 8
        } else {
            self.long(at + 8)? as usize
        };
        Some(Entry {
            tag: self.short(at)?,
            kind,
            bytes: self.bytes.get(begin..begin.checked_add(size)?)?,
            is_big_endian: self.is_big_endian,
        })
    }
}

/// One thing that a directory says.
struct Entry<'a> {
    tag: u16,
    kind: u16,
    bytes: &'a [u8],
    is_big_endian: bool,
}

impl Entry<'_> {
    /// What it says, of the kinds there are.
    fn value(&self) -> Option<Value> {
        Some(match self.kind {
            1 => Value::Byte(self.bytes.to_vec()),
            2 => {
                let texts = self.bytes.strip_suffix(&[0]).unwrap_or(self.bytes);
                let texts = texts.split(|b| *b == 0).take(MOST_TEXTS);
                Value::Ascii(texts.map(<[u8]>::to_vec).collect())
            }
            3 => Value::Short(self.numbers(u16::from_be_bytes)),
            4 => Value::Long(self.numbers(u32::from_be_bytes)),
            5 => Value::Rational(self.numbers(|b| {
                let [num, denom] = halves(b).map(u32::from_be_bytes);
                Rational { num, denom }
            })),
            6 => Value::SByte(self.numbers(i8::from_be_bytes)),
            7 => Value::Undefined(self.bytes.to_vec(), 0),
            8 => Value::SShort(self.numbers(i16::from_be_bytes)),
            9 => Value::SLong(self.numbers(i32::from_be_bytes)),
            10 => Value::SRational(self.numbers(|b| {
                let [num, denom] = halves(b).map(i32::from_be_bytes);
                SRational { num, denom }
            })),
            11 => Value::Float(self.numbers(f32::from_be_bytes)),
            12 => Value::Double(self.numbers(f64::from_be_bytes)),
            _ => return None,
        })
    }

    /// Numbers of so many bytes, the most significant one first. Of a fraction, each half is turned by itself.
    fn numbers<const N: usize, T>(&self, make: impl Fn([u8; N]) -> T) -> Vec<T> {
        let turned = match self.kind {
            5 | 10 => 4,
            _ => N,
        };
        let (chunks, _) = self.bytes.as_chunks::<N>();
        chunks
            .iter()
            .map(|chunk| {
                let mut chunk = *chunk;
                if !self.is_big_endian {
                    chunk.chunks_mut(turned).for_each(<[u8]>::reverse);
                }
                make(chunk)
            })
            .collect()
    }
}

fn halves([a, b, c, d, e, f, g, h]: [u8; 8]) -> [[u8; 4]; 2] {
    [[a, b, c, d], [e, f, g, h]]
}

/// The fields of the picture itself, of how it was taken and of where, as far as they take no more room than the block.
fn fields(block: &[u8]) -> Vec<Field> {
    let Some((directories, first)) = Directories::open(block) else {
        return Vec::new();
    };
    let mut room = block.len();
    let mut found = Vec::new();
    let mut waiting = vec![(Context::Tiff, first)];
    // Each kind of directory once.
    let mut seen = [Context::Tiff].to_vec();
    while let Some((context, directory)) = waiting.pop() {
        for entry in directories.entries(directory) {
            let below = match (context, entry.tag) {
                (Context::Tiff, 0x8769) => Some(Context::Exif),
                (Context::Tiff, 0x8825) => Some(Context::Gps),
                (Context::Exif, 0xa005) => Some(Context::Interop),
                _ => None,
            };
            let Some(value) = entry.value() else { continue };
            if let Some(below) = below {
                if let Some(at) = value.get_uint(0)
                    && !seen.contains(&below)
                {
                    seen.push(below);
                    waiting.push((below, at as usize));
                }
                continue;
            }
            let Some(left) = room.checked_sub(entry.bytes.len()) else {
                return found;
            };
            room = left;
            found.push(Field {
                tag: Tag(context, entry.tag),
                ifd_num: In::PRIMARY,
                value,
            });
        }
    }
    found
}

/// A block with the fields of another one, the orientation and density that are given, and texts that replace what there
/// was. `None` where it cannot be written.
pub(crate) fn with_fields(
    block: Option<&[u8]>,
    orientation: u8,
    density: Option<f64>,
    texts: &[(String, String)],
) -> Option<Vec<u8>> {
    let mut all: Vec<Field> = block.map(fields).unwrap_or_default();
    let mut set = |tag: Tag, value: Value| {
        all.retain(|f| f.tag != tag);
        all.push(Field {
            tag,
            ifd_num: In::PRIMARY,
            value,
        });
    };
    set(Tag::Orientation, Value::Short(vec![orientation.into()]));
    if let Some(density) = density.and_then(|d| crate::number::rounded(d * 1000.0)) {
        let value = Rational {
            num: density,
            denom: 1000,
        };
        set(Tag::XResolution, Value::Rational(vec![value]));
        set(Tag::YResolution, Value::Rational(vec![value]));
        set(Tag::ResolutionUnit, Value::Short(vec![2]));
    }
    for (name, text) in texts {
        if let Some(tag) = text_tag(name) {
            set(tag, Value::Ascii(vec![text.as_bytes().to_vec()]));
        }
    }
    let mut writer = Writer::new();
    for field in &all {
        writer.push_field(field);
    }
    let mut out = Cursor::new(PREFIX.to_vec());
    // The writer counts from where the block begins.
    let mut body = Cursor::new(Vec::new());
    writer.write(&mut body, false).ok()?;
    out.get_mut().extend_from_slice(&body.into_inner());
    Some(out.into_inner())
}

/// Fields whose values are texts, by their names.
fn text_tag(name: &str) -> Option<Tag> {
    Some(match name {
        "Artist" => Tag::Artist,
        "Copyright" => Tag::Copyright,
        "DateTime" => Tag::DateTime,
        "DateTimeDigitized" => Tag::DateTimeDigitized,
        "DateTimeOriginal" => Tag::DateTimeOriginal,
        "ImageDescription" => Tag::ImageDescription,
        "LensMake" => Tag::LensMake,
        "LensModel" => Tag::LensModel,
        "Make" => Tag::Make,
        "Model" => Tag::Model,
        "Software" => Tag::Software,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_again() {
        // NC-114
        let block = with_fields(None, 6, Some(300.0), &[("Copyright".into(), "Ana".into())])
            .expect("a block");
        let read = Exif::read(&block);
        assert_eq!((read.orientation, read.density), (Some(6), Some(300)));
        let again = with_fields(Some(&block), 1, None, &[]).expect("a block");
        assert_eq!(Exif::read(&again).orientation, Some(1));
        assert!(again.windows(3).any(|w| w == b"Ana"));
        assert_eq!(Exif::read(b"Exif\0\0nonsense").orientation, None);
    }

    /// A block of one directory with these entries: tag, kind, count, and where the value is.
    fn block(entries: &[(u16, u16, u32, u32)], after: &[u8]) -> Vec<u8> {
        let mut block = b"II*\0\x08\0\0\0".to_vec();
        block.extend(u16::try_from(entries.len()).unwrap().to_le_bytes());
        for (tag, kind, count, at) in entries {
            block.extend(tag.to_le_bytes());
            block.extend(kind.to_le_bytes());
            block.extend(count.to_le_bytes());
            block.extend(at.to_le_bytes());
        }
        block.extend([0; 4]);
        block.extend(after);
        block
    }

    #[test]
    fn directories_in_each_other_and_values_in_one_place_are_taken_once() {
        // NC-116: thousands of entries that lead to the same directories, or to the same bytes
        let pointers: Vec<_> = (0..2000u32).map(|n| (0x8769, 4, 1, 8 + 12 * n)).collect();
        assert!(fields(&block(&pointers, &[])).len() <= usize::from(MOST_ENTRIES));
        let texts: Vec<_> = (0..500u16)
            .map(|n| (n, 2, 30_000, 8 + 2 + 500 * 12 + 4))
            .collect();
        let of_letters = fields(&block(&texts, &[b'a'; 30_000]));
        assert_eq!(of_letters.len(), 1);
        let of_nothing = fields(&block(&texts, &[0; 30_000]));
        let [
            Field {
                value: Value::Ascii(empty),
                ..
            },
        ] = &of_nothing[..]
        else {
            panic!("{of_nothing:?}");
        };
        assert_eq!(empty.len(), MOST_TEXTS);
    }

    #[test]
    fn values_of_every_kind_are_written_as_they_were_read() {
        // NC-114: numbers the other way round in the file that is read
        let at = 8 + 2 + 5 * 12 + 4;
        let after: Vec<u8> = [
            &[1, 0, 0, 0, 60, 0, 0, 0][..],
            &0.5f64.to_le_bytes(),
            b"one\0two\0",
        ]
        .concat();
        let block = block(
            &[
                (0x010e, 2, 8, at + 16),
                (0x0112, 3, 1, 6),
                (0x829a, 5, 1, at),
                (0x9999, 12, 1, at + 8),
                (0x8769, 4, 1, 8),
            ],
            &after,
        );
        let of = |block: &[u8]| {
            let mut all = fields(block);
            all.retain(|f| f.tag.context() == Context::Tiff);
            all.sort_by_key(|f| f.tag.number());
            all.iter()
                .map(|f| format!("{:?}", f.value))
                .collect::<Vec<_>>()
        };
        let wanted = [
            r#"Ascii(["one", "two"])"#,
            "Short([6])",
            "Rational([Rational(1/60)])",
            "Double([0.5])",
        ];
        assert_eq!(of(&block), wanted);
        let written = with_fields(Some(&block), 6, None, &[]).expect("a block");
        assert_eq!(of(&written), wanted);
    }
}
