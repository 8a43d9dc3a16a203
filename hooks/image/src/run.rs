//! From a source to a file, in sharp's order whatever the caller's was (NC-110): orient, trim, extract, resize, turn, crop or
//! embed, extract, extend, the filters, layers, tones, and out.

use serde::Serialize;

use crate::{
    Error,
    budget::Budget,
    colour,
    format::{self, Format, Metadata, Reading, Source},
    number::{self, real},
    op::{self, Blend, Shrink, Turn},
    output::Written,
    picture::{Pages, Picture},
    pipeline::{ExtendWith, Fit, Input, Kept, Layer, Pipeline},
};

/// What a file came to, as sharp tells it (NC-113).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Info {
    /// As sharp calls it.
    pub format: &'static str,
    /// In pixels.
    pub width: usize,
    /// In pixels; of all pages together.
    pub height: usize,
    /// Samples of a pixel.
    pub channels: usize,
    /// Of samples without a file around them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<&'static str>,
    /// Whether alpha was multiplied into the others on the way.
    pub premultiplied: bool,
    /// Where a strategy has cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop_offset_left: Option<i64>,
    /// The same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop_offset_top: Option<i64>,
    /// By how much the left edge has moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trim_offset_left: Option<i64>,
    /// By how much the top edge has moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trim_offset_top: Option<i64>,
    /// Of one page, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_height: Option<usize>,
    /// How many, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<usize>,
    /// Whether pixels can be transparent.
    pub has_alpha: bool,
    /// Bytes of the file.
    pub size: usize,
}

/// A file that was made.
#[derive(Debug)]
#[non_exhaustive]
pub struct Made {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it is.
    pub info: Info,
    /// What was done otherwise than asked, for the function's log.
    pub warnings: Vec<String>,
}

/// A source with its pixels.
struct Opened {
    pages: Pages,
    format: Format,
    facts: Metadata,
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// The headers of a source, within the limits that are set for it.
pub(crate) fn headers<'a>(
    budget: &Budget,
    input: &Input,
    buffers: &[&'a [u8]],
) -> Result<Source<'a>, Error> {
    let bytes = buffer(input, buffers)?;
    let source = Source::open(budget, bytes)?;
    let count = source.page_count(reading(input))?;
    let pixels = u64::from(source.facts.width) * u64::from(source.facts.height);
    let pixels = pixels.saturating_mul(count as u64);
    if input.limit_input_pixels > 0 && pixels > input.limit_input_pixels {
        return Err(Error::PixelLimit);
    }
    if input.limit_input_channels > 0
        && u64::from(source.facts.channels) > input.limit_input_channels
    {
        return Err(Error::ChannelLimit);
    }
    Ok(source)
}

fn buffer<'a>(input: &Input, buffers: &[&'a [u8]]) -> Result<&'a [u8], Error> {
    let found = input.buffer.and_then(|index| buffers.get(index));
    found.copied().ok_or(Error::UnsupportedFormat)
}

pub(crate) fn reading(input: &Input) -> Reading {
    Reading {
        page: usize::try_from(input.page).unwrap_or(0),
        pages: usize::try_from(input.pages).ok(),
        is_strict: input.fail_on != "none",
        minds_checksums: matches!(&*input.fail_on, "error" | "warning"),
    }
}

/// Reads a source, its colours as they are.
pub(crate) fn open(
    budget: &Budget,
    input: &Input,
    buffers: &[&[u8]],
) -> Result<(Pages, Format, Metadata), Error> {
    let limited = |width: u32, height: u32| {
        let pixels = u64::from(width) * u64::from(height);
        if input.limit_input_pixels > 0 && pixels > input.limit_input_pixels {
            return Err(Error::PixelLimit);
        }
        Ok((width as usize, height as usize))
    };
    if let Some(create) = input.create {
        let (width, height) = limited(create.width, create.height)?;
        let colour = colour::background(create.background, create.channels.into());
        let picture = Picture::filled(budget, width, height, &colour)?;
        return Ok((Pages::still(picture), Format::Raw, Metadata::default()));
    }
    if let Some(raw) = input.raw {
        let (width, height) = limited(raw.width, raw.height)?;
        let bytes = buffer(input, buffers)?;
        let bands = usize::from(raw.channels);
        let wanted = width * height * bands;
        if bytes.len() < wanted {
            return Err(Error::CorruptData(format!(
                "memory area too small --- should be {wanted} bytes, you passed {}",
                bytes.len()
            )));
        }
        let mut picture = Picture::new(budget, width, height, bands)?;
        picture.data.copy_from_slice(&bytes[..wanted]);
        if raw.premultiplied {
            picture = op::unpremultiply(picture)?;
        }
        return Ok((Pages::still(picture), Format::Raw, Metadata::default()));
    }
    let source = headers(budget, input, buffers)?;
    let pages = source.decode(budget, reading(input))?;
    Ok((pages, source.format, source.facts))
}

/// Does all of it.
///
/// # Errors
/// Those of [`Error`], whose texts are sharp's.
pub fn run(budget: &Budget, pipeline: &Pipeline, buffers: &[&[u8]]) -> Result<Made, Error> {
    pipeline.check()?;
    let format = target(pipeline)?;
    let (pages, source, facts) = open(budget, &pipeline.input, buffers)?;
    let format = match format {
        Some(format) => format,
        None => source,
    };
    let mut work = Work {
        budget,
        format,
        pipeline,
        buffers,
        warnings: Vec::new(),
        trimmed: None,
        cropped: None,
        premultiplied: false,
    };
    let opened = Opened {
        pages,
        format: source,
        facts,
    };
    let facts = opened.facts.clone();
    let mut pages = work.process(opened)?;
    let (width, page_height, bands) = {
        let first = pages.first();
        (first.width, first.height, first.bands)
    };
    let count = pages.pages.len();
    let mut channels = bands;
    let mut has_alpha = pages.first().has_alpha();
    match format {
        Format::Jpeg => {
            channels = channels.min(3);
            has_alpha = false;
        }
        Format::Raw if pipeline.greyscale || pipeline.colourspace == "b-w" || bands < 3 => {
            pages = pages.each(|p| p.map(budget, 1, |from, to| to[0] = from[0]))?;
            channels = 1;
        }
        _ => {}
    }
    let mut written = written(budget, pipeline, &facts, &mut pages)?;
    written.is_of_gif = source == Format::Gif;
    let bytes = format::encode(budget, format, &pipeline.output, &written, pages)?;
    let info = Info {
        format: format.id(),
        width,
        height: page_height * count,
        channels,
        depth: (format == Format::Raw).then_some("uchar"),
        premultiplied: work.premultiplied,
        crop_offset_left: work.cropped.map(|(left, _)| -signed(left)),
        crop_offset_top: work.cropped.map(|(_, top)| -signed(top)),
        trim_offset_left: work.trimmed.map(|(left, _)| -signed(left)),
        trim_offset_top: work.trimmed.map(|(_, top)| -signed(top)),
        page_height: (count > 1).then_some(page_height),
        pages: (count > 1).then_some(count),
        has_alpha,
        size: bytes.len(),
    };
    Ok(Made {
        bytes,
        info,
        warnings: work.warnings,
    })
}

/// The format that is asked for; none for that of the source.
fn target(pipeline: &Pipeline) -> Result<Option<Format>, Error> {
    Ok(Some(match &*pipeline.output.format {
        "input" => return Ok(None),
        "jpeg" => Format::Jpeg,
        "png" => Format::Png,
        "webp" => Format::Webp,
        "gif" => Format::Gif,
        "tiff" => Format::Tiff,
        "heif" => Format::Avif,
        "raw" => Format::Raw,
        other => {
            return Err(Error::Refused(format!("Unsupported output format {other}")));
        }
    }))
}

/// What is on its way.
struct Work<'a> {
    budget: &'a Budget,
    /// Of the file that is to be.
    format: Format,
    pipeline: &'a Pipeline,
    buffers: &'a [&'a [u8]],
    warnings: Vec<String>,
    trimmed: Option<(usize, usize)>,
    cropped: Option<(usize, usize)>,
    premultiplied: bool,
}

impl Work<'_> {
    fn process(&mut self, opened: Opened) -> Result<Pages, Error> {
        let budget = self.budget;
        let p = self.pipeline;
        let Opened {
            mut pages,
            format,
            facts,
        } = opened;
        let (mut auto_turn, mut auto_flop) = if p.input.auto_orient {
            Turn::of_orientation(facts.orientation.unwrap_or(1))
        } else {
            (Turn::None, false)
        };
        let (mut flip, mut flop) = (p.flip, p.flop);
        let mut angle = Turn::of_degrees(p.angle);
        let mut rotation = p.rotation;
        let rotates_before =
            p.rotate_before && (angle != Turn::None || flip || flop || rotation != 0.0);
        let orients_before =
            (rotates_before || p.orient_before) && (auto_turn != Turn::None || auto_flop);
        if orients_before {
            pages = self.turn(pages, std::mem::replace(&mut auto_turn, Turn::None))?;
            if std::mem::take(&mut auto_flop) {
                pages = pages.each(|p| Ok(op::flop(p)))?;
            }
        }
        if rotates_before {
            if std::mem::take(&mut flip) {
                pages = flipped(pages)?;
            }
            if std::mem::take(&mut flop) {
                pages = pages.each(|p| Ok(op::flop(p)))?;
            }
            pages = self.turn(pages, std::mem::replace(&mut angle, Turn::None))?;
            if rotation != 0.0 {
                pages = self.rotate(pages, std::mem::take(&mut rotation), false)?;
            }
        }
        if let Some(how) = &p.trim {
            one_page(&pages, "Trim")?;
            pages = pages.each(|page| {
                let trimmed = op::trim(budget, page, how)?;
                self.trimmed = Some((trimmed.left, trimmed.top));
                Ok(trimmed.picture)
            })?;
        }
        if let Some(area) = p.extract_before {
            pages = pages.each(|page| op::extract(budget, page, area))?;
        }

        // The size that is worked towards, by way of the one that sharp's decoders would have shrunk the source to.
        let mut target = (p.resize.width, p.resize.height);
        if auto_turn.swaps() {
            target = (target.1, target.0);
        }
        let shrinks_on_load = (target.0.is_some() || target.1.is_some())
            && p.gamma.is_none()
            && p.extract_before.is_none()
            && p.trim.is_none()
            && !orients_before
            && !rotates_before;
        let (width, height) = (pages.first().width, pages.first().height);
        let seen = if shrinks_on_load {
            shrunk_on_load(format, (width, height), target, p)
        } else {
            (width, height)
        };
        let shrink = Shrink::of(seen, target, &p.resize);
        let mut size = shrink.size(seen);
        if pages.pages.len() > 1 {
            let rows = (real(seen.1) / shrink.vertical).round_ties_even();
            size.1 = number::pixels(rows);
        }
        let resizes = !shrink.is_none() || size != (width, height);
        fits(self.format, size, p)?;

        if !p.kept.icc_is_original()
            && !p.input.ignore_icc
            && facts.space != "cmyk"
            && let Some(icc) = &facts.icc
        {
            pages = pages.each(|page| colour::to_srgb(budget, page, icc))?;
        }
        if let Some(on) = p.flatten {
            pages = pages.each(|page| op::flatten(budget, page, on))?;
        }
        if let Some([before, _]) = p.gamma {
            pages = pages.each(|page| Ok(op::gamma(page, before)))?;
        }
        if p.greyscale {
            pages = pages.each(|page| colour::to_grey(budget, page))?;
        }
        if !p.composite.is_empty() {
            pages = pages.each(|page| page.into_alpha(budget, 255))?;
        }
        self.premultiplied =
            pages.first().has_alpha() && (resizes || p.blur.is_some() || p.sharpen.is_some());
        if self.premultiplied {
            pages = pages.each(op::premultiply)?;
        }
        if resizes {
            pages = pages.each(|page| op::resize(budget, page, size, p.resize.kernel))?;
        }
        pages = self.turn(pages, auto_turn)?;
        if flip {
            pages = flipped(pages)?;
        }
        if flop != auto_flop {
            pages = pages.each(|page| Ok(op::flop(page)))?;
        }
        pages = self.turn(pages, angle)?;
        pages = self.fit(pages)?;
        if !p.rotate_before && rotation != 0.0 {
            pages = self.rotate(pages, rotation, self.premultiplied)?;
        }
        if let Some(area) = p.extract_after {
            pages = pages.each(|page| op::extract(budget, page, area))?;
        }
        if let Some(edges) = &p.extend {
            let premultiplied = self.premultiplied;
            pages = pages.each(|page| {
                if edges.with != ExtendWith::Background {
                    return op::extend(budget, &page, edges, &[]);
                }
                let (page, colour) =
                    op::for_background(budget, page, edges.background, premultiplied)?;
                op::extend(budget, &page, edges, &colour)
            })?;
        }
        pages = self.filter(pages)?;
        if self.premultiplied {
            pages = pages.each(op::unpremultiply)?;
        }
        pages = self.layers(pages)?;
        self.tone(pages)
    }

    fn turn(&self, pages: Pages, by: Turn) -> Result<Pages, Error> {
        if by.swaps() {
            one_page(&pages, "Rotate")?;
        }
        if by == Turn::Half && pages.pages.len() > 1 {
            // As one tall picture: the last page comes first.
            let mut turned = pages.each(|page| op::turn(self.budget, page, by))?;
            turned.pages.reverse();
            return Ok(turned);
        }
        pages.each(|page| op::turn(self.budget, page, by))
    }

    fn rotate(&self, pages: Pages, degrees: f64, premultiplied: bool) -> Result<Pages, Error> {
        one_page(&pages, "Rotate")?;
        let background = self.pipeline.rotation_background;
        pages.each(|page| {
            let (page, colour) = op::for_background(self.budget, page, background, premultiplied)?;
            op::rotate(self.budget, &page, degrees, &colour)
        })
    }

    /// Cuts off, or adds, what is missing to the size that is asked for.
    fn fit(&mut self, pages: Pages) -> Result<Pages, Error> {
        let budget = self.budget;
        let resize = &self.pipeline.resize;
        let (width, height) = (pages.first().width, pages.first().height);
        let wanted = (
            resize.width.map_or(width, |v| v as usize),
            resize.height.map_or(height, |v| v as usize),
        );
        if wanted == (width, height) {
            return Ok(pages);
        }
        match resize.fit {
            Fit::Contain => {
                let place = op::gravity_outside((width, height), wanted, resize.position);
                let canvas = (width.max(wanted.0), height.max(wanted.1));
                let premultiplied = self.premultiplied;
                pages.each(|page| {
                    let (page, colour) =
                        op::for_background(budget, page, resize.background, premultiplied)?;
                    op::embed(budget, &page, place, canvas, &colour)
                })
            }
            Fit::Cover => {
                let window = (width.min(wanted.0), height.min(wanted.1));
                let strategy = match resize.position {
                    16 => Some("entropy"),
                    17 => Some("attention"),
                    _ => None,
                };
                let place = op::gravity_inside((width, height), window, resize.position);
                if let Some(name) = strategy {
                    one_page(&pages, "Resize strategy")?;
                    self.warnings.push(format!(
                        "sharp: the strategy '{name}' is not built in; cropped around the centre (NC-111)"
                    ));
                    self.cropped = Some(place);
                }
                pages.each(|page| op::crop(budget, page, place, window))
            }
            Fit::Fill | Fit::Inside | Fit::Outside => Ok(pages),
        }
    }

    fn filter(&self, mut pages: Pages) -> Result<Pages, Error> {
        let (budget, p) = (self.budget, self.pipeline);
        if p.median > 0 {
            let size = p.median as usize;
            pages = pages.each(|page| op::median(budget, &page, size))?;
        }
        if let Some(how) = p.threshold {
            pages = pages.each(|page| op::threshold(budget, page, how))?;
        }
        if let Some(how) = &p.blur {
            pages = pages.each(|page| op::blur(budget, page, how))?;
        }
        if p.unflatten {
            pages = pages.each(|page| op::unflatten(budget, page))?;
        }
        if !p.recomb.is_empty() {
            pages = pages.each(|page| op::recomb(budget, page, &p.recomb))?;
        }
        if let Some(how) = &p.modulate {
            pages = pages.each(|page| op::modulate(budget, page, how))?;
        }
        if let Some(how) = &p.sharpen {
            pages = pages.each(|page| op::sharpen(budget, page, how))?;
        }
        Ok(pages)
    }

    fn layers(&self, pages: Pages) -> Result<Pages, Error> {
        if self.pipeline.composite.is_empty() {
            return Ok(pages);
        }
        let budget = self.budget;
        let pages = pages.each(|page| page.into_rgb(budget))?;
        let (count, page_height) = (pages.pages.len(), pages.first().height);
        let (delays, repeats) = (pages.delays.clone(), pages.repeats);
        let mut below = pages.into_roll(budget)?;
        for layer in &self.pipeline.composite {
            self.layer(&mut below, layer)?;
        }
        if count == 1 {
            return Ok(Pages {
                pages: vec![below],
                delays,
                repeats,
            });
        }
        let size = below.width * page_height * below.bands;
        let mut split = Vec::with_capacity(count);
        for data in below.data.chunks_exact(size) {
            let mut page = Picture::new(budget, below.width, page_height, below.bands)?;
            page.data.copy_from_slice(data);
            split.push(page);
        }
        Ok(Pages {
            pages: split,
            delays,
            repeats,
        })
    }

    fn layer(&self, below: &mut Picture, layer: &Layer) -> Result<(), Error> {
        let budget = self.budget;
        let blend = Blend::of(&layer.blend)
            .ok_or_else(|| Error::Refused(format!("unknown blend {}", layer.blend)))?;
        let (pages, _, facts) = open(budget, &layer.input, self.buffers)?;
        let mut above = pages.into_roll(budget)?;
        if layer.input.auto_orient {
            let (turn, flop) = Turn::of_orientation(facts.orientation.unwrap_or(1));
            above = op::turn(budget, above, turn)?;
            if flop {
                above = op::flop(above);
            }
        }
        if above.width > below.width || above.height > below.height {
            return Err(Error::Refused(
                "Image to composite must have same dimensions or smaller".to_owned(),
            ));
        }
        above = above.into_rgb(budget)?.into_alpha(budget, 255)?;
        if layer.premultiplied {
            above = op::unpremultiply(above)?;
        }
        let outer = (below.width, below.height);
        if layer.tile {
            above = tiled(budget, &above, outer, layer)?;
            return op::lay(budget, below, &above, (0, 0), blend);
        }
        let place = if layer.has_offset {
            (layer.left, layer.top)
        } else {
            let (left, top) = op::gravity_inside(outer, (above.width, above.height), layer.gravity);
            (signed(left), signed(top))
        };
        op::lay(budget, below, &above, place, blend)
    }

    fn tone(&self, mut pages: Pages) -> Result<Pages, Error> {
        let (budget, p) = (self.budget, self.pipeline);
        if let Some([_, after]) = p.gamma {
            pages = pages.each(|page| Ok(op::gamma(page, 1.0 / after)))?;
        }
        if let Some([a, b]) = &p.linear {
            pages = pages.each(|page| op::linear(page, a, b))?;
        }
        if let Some(range) = p.normalise {
            pages = op::normalise(budget, pages, range)?;
        }
        if let Some(rgb) = p.tint {
            pages = pages.each(|page| op::tint(budget, page, rgb))?;
        }
        if p.remove_alpha {
            pages = pages.each(|page| page.into_opaque(budget))?;
        }
        if let Some(opacity) = p.ensure_alpha {
            pages = pages.each(|page| page.into_alpha(budget, number::sample(opacity * 255.0)))?;
        }
        pages = match &*p.colourspace {
            "srgb" => pages.each(|page| page.into_rgb(budget))?,
            "b-w" => pages.each(|page| colour::to_grey(budget, page))?,
            other => {
                return Err(Error::unsupported(format_args!(
                    "sharp: toColourspace('{other}')"
                )));
            }
        };
        if let Some(channel) = p.extract_channel {
            pages = pages.each(|page| op::extract_channel(budget, &page, channel.into()))?;
        }
        if let Some(alpha_too) = p.negate {
            pages = pages.each(|page| Ok(op::negate(page, alpha_too)))?;
        }
        Ok(pages)
    }
}

impl Kept {
    /// Whether the source's own profile goes along, and its colours stay as they are.
    fn icc_is_original(&self) -> bool {
        self.icc && self.profile.is_none()
    }
}

/// Top and bottom change places, as of one tall picture: the last page comes first.
fn flipped(pages: Pages) -> Result<Pages, Error> {
    let mut flipped = pages.each(|page| Ok(op::flip(page)))?;
    flipped.pages.reverse();
    Ok(flipped)
}

fn one_page(pages: &Pages, what: &str) -> Result<(), Error> {
    if pages.pages.len() > 1 {
        return Err(Error::Refused(format!(
            "{what} is not supported for multi-page images"
        )));
    }
    Ok(())
}

/// Refuses a size that the format has no room for, before it is made. What cuts afterwards is not foreseen: then it is the
/// encoder that refuses.
fn fits(format: Format, size: (usize, usize), pipeline: &Pipeline) -> Result<(), Error> {
    let most = match format {
        Format::Webp => 16383,
        Format::Jpeg | Format::Gif => 65535,
        _ => return Ok(()),
    };
    if pipeline.extract_after.is_some() {
        return Ok(());
    }
    let resize = &pipeline.resize;
    let cut = |side: usize, wanted: Option<u32>| match resize.fit {
        Fit::Cover => wanted.map_or(side, |w| side.min(w as usize)),
        _ => side,
    };
    let (width, height) = (cut(size.0, resize.width), cut(size.1, resize.height));
    // A turn swaps the two.
    if width.max(height) > most && width.min(height) > 0 {
        let name = match format {
            Format::Webp => "WebP",
            Format::Gif => "GIF",
            _ => "JPEG",
        };
        return Err(Error::Refused(format!(
            "Processed image is too large for the {name} format"
        )));
    }
    Ok(())
}

/// The size that sharp's decoders give a source which is to become much smaller.
fn shrunk_on_load(
    format: Format,
    (width, height): (usize, usize),
    target: (Option<u32>, Option<u32>),
    pipeline: &Pipeline,
) -> (usize, usize) {
    let shrink = Shrink::of((width, height), target, &pipeline.resize);
    let common = shrink.horizontal.min(shrink.vertical);
    match format {
        Format::Jpeg => {
            let factor = if pipeline.resize.fast_shrink_on_load {
                1.0
            } else {
                2.0
            };
            let mut by = [8, 4, 2]
                .into_iter()
                .find(|by| common >= real(*by) * factor)
                .unwrap_or(1);
            if by > 1 && common.trunc() == real(by) {
                by /= 2;
            }
            // libvips cuts off what is not a whole pixel.
            ((width / by).max(1), (height / by).max(1))
        }
        Format::Webp if pipeline.resize.fast_shrink_on_load && common > 1.0 => (
            number::pixels((real(width) / common).round_ties_even()),
            number::pixels((real(height) / common).round_ties_even()),
        ),
        _ => (width, height),
    }
}

/// A picture repeated over an area.
fn tiled(
    budget: &Budget,
    tile: &Picture,
    (width, height): (usize, usize),
    layer: &Layer,
) -> Result<Picture, Error> {
    let mut across = width.div_ceil(tile.width);
    let mut down = height.div_ceil(tile.height);
    // An odd number, so that one is in the middle.
    if matches!(layer.gravity, 0 | 1 | 3) {
        across |= 1;
    }
    if matches!(layer.gravity, 0 | 2 | 4) {
        down |= 1;
    }
    let all = (tile.width * across, tile.height * down);
    let (left, top) = if layer.has_offset {
        let within = |value: i64, most: usize| usize::try_from(value).unwrap_or(0).min(most);
        (
            within(layer.left, all.0 - width),
            within(layer.top, all.1 - height),
        )
    } else {
        op::gravity_inside(all, (width, height), layer.gravity)
    };
    let mut made = Picture::new(budget, width, height, tile.bands)?;
    let bands = tile.bands;
    for y in 0..height {
        let from = tile.row((y + top) % tile.height);
        for (x, to) in made.row_mut(y).chunks_exact_mut(bands).enumerate() {
            let at = (x + left) % tile.width * bands;
            to.copy_from_slice(&from[at..at + bands]);
        }
    }
    Ok(made)
}

/// What goes into the file beside the pixels (NC-114).
fn written(
    budget: &Budget,
    pipeline: &Pipeline,
    facts: &Metadata,
    pages: &mut Pages,
) -> Result<Written, Error> {
    let kept = &pipeline.kept;
    let mut written = Written {
        density: kept.density.or_else(|| facts.density.map(f64::from)),
        repeats: pipeline.output.repeats,
        ..Written::default()
    };
    let count = pages.pages.len();
    written.delays = match pipeline.output.delay[..] {
        [each] => vec![each; count],
        ref given => given.to_vec(),
    };
    match kept.profile.as_deref() {
        // Of inks there are none left that it could describe.
        None if kept.icc && facts.space != "cmyk" => written.icc.clone_from(&facts.icc),
        None => {}
        Some("srgb") if kept.icc => written.icc = colour::srgb_profile(),
        Some("p3") => {
            for page in &mut pages.pages {
                let empty = Picture::new(budget, 0, 0, page.bands)?;
                let taken = std::mem::replace(page, empty);
                *page = colour::to_p3(budget, taken)?;
            }
            if kept.icc {
                written.icc = colour::p3_profile();
            }
        }
        Some("srgb") => {}
        Some(other) => {
            return Err(Error::unsupported(format_args!(
                "sharp: withIccProfile('{other}')"
            )));
        }
    }
    if kept.exif {
        let source = if kept.merge {
            facts.exif.as_deref()
        } else {
            None
        };
        let stays = facts.orientation.filter(|_| !pipeline.input.auto_orient);
        let orientation = kept.orientation.or(stays).unwrap_or(1);
        written.exif = format::with_fields(source, orientation, kept.density, &kept.fields);
    }
    if kept.xmp {
        written.xmp = match &kept.xmp_text {
            Some(text) => Some(text.clone().into_bytes()),
            None => facts.xmp.clone(),
        };
    }
    Ok(written)
}
