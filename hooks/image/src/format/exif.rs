//! EXIF: the two fields that change what a picture is, and writing fields.

use std::io::Cursor;

use ::exif::{Field, In, Rational, Reader, Tag, Value, experimental::Writer};

/// What stands before the block in a JPEG file, and in what functions are shown.
pub(crate) const PREFIX: &[u8] = b"Exif\0\0";

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
        let Some(fields) = fields(block) else {
            return Self::default();
        };
        let orientation = fields
            .get_field(Tag::Orientation, In::PRIMARY)
            .and_then(|f| f.value.get_uint(0))
            .and_then(|v| u8::try_from(v).ok())
            .filter(|v| (1..=8).contains(v));
        Self {
            orientation,
            density: density(&fields),
        }
    }
}

fn density(fields: &::exif::Exif) -> Option<u32> {
    let Value::Rational(ref values) = fields.get_field(Tag::XResolution, In::PRIMARY)?.value else {
        return None;
    };
    let value = values.first()?.to_f64();
    let unit = fields
        .get_field(Tag::ResolutionUnit, In::PRIMARY)
        .and_then(|f| f.value.get_uint(0));
    const CENTIMETRES: u32 = 3;
    let value = if unit == Some(CENTIMETRES) {
        value * 2.54
    } else {
        value
    };
    crate::number::rounded(value).filter(|v| *v > 0)
}

fn fields(block: &[u8]) -> Option<::exif::Exif> {
    let raw = block.strip_prefix(PREFIX).unwrap_or(block);
    Reader::new()
        .continue_on_error(true)
        .read_raw(raw.to_vec())
        .or_else(|e| e.distill_partial_result(|_| {}))
        .ok()
}

/// A block with the fields of another one, the orientation and density that are given, and texts that replace what there
/// was. `None` where it cannot be written.
pub(crate) fn with_fields(
    block: Option<&[u8]>,
    orientation: u8,
    density: Option<f64>,
    texts: &[(String, String)],
) -> Option<Vec<u8>> {
    let read = block.and_then(fields);
    let mut all: Vec<Field> = read
        .iter()
        .flat_map(|e| e.fields())
        .filter(|f| f.ifd_num == In::PRIMARY)
        .cloned()
        .collect();
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
}
