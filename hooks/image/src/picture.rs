//! Pixels in memory: eight bits a sample, bands interleaved, sRGB or grey, alpha last and not multiplied into the others
//! unless said otherwise.

use crate::{
    Error,
    budget::{Budget, Charge},
};

/// One picture, or one page of an animation.
#[derive(Debug)]
pub(crate) struct Picture {
    /// In pixels.
    pub(crate) width: usize,
    /// In pixels.
    pub(crate) height: usize,
    /// Samples of a pixel: grey, grey and alpha, RGB, RGBA.
    pub(crate) bands: usize,
    /// `width * height * bands` samples, row by row.
    pub(crate) data: Vec<u8>,
    charge: Charge,
}

impl Picture {
    /// A picture of zeros.
    pub(crate) fn new(
        budget: &Budget,
        width: usize,
        height: usize,
        bands: usize,
    ) -> Result<Self, Error> {
        let size = width
            .checked_mul(height)
            .and_then(|n| n.checked_mul(bands))
            .ok_or(Error::OutOfMemory)?;
        let charge = budget.charge(size)?;
        Ok(Self {
            width,
            height,
            bands,
            data: vec![0; size],
            charge,
        })
    }

    /// A picture of one colour, as many of whose bands are used as the picture has.
    pub(crate) fn filled(
        budget: &Budget,
        width: usize,
        height: usize,
        colour: &[u8],
    ) -> Result<Self, Error> {
        let mut made = Self::new(budget, width, height, colour.len())?;
        for pixel in made.data.chunks_exact_mut(colour.len()) {
            pixel.copy_from_slice(colour);
        }
        Ok(made)
    }

    /// A picture of samples that are there already. What is missing is zero.
    pub(crate) fn of(
        budget: &Budget,
        (width, height, bands): (usize, usize, usize),
        data: Vec<u8>,
    ) -> Result<Self, Error> {
        let size = width
            .checked_mul(height)
            .and_then(|n| n.checked_mul(bands))
            .ok_or(Error::OutOfMemory)?;
        let charge = budget.charge(size)?;
        let mut made = Self {
            width,
            height,
            bands,
            data,
            charge,
        };
        made.data.resize(size, 0);
        Ok(made)
    }

    /// Whether the last band says how opaque a pixel is.
    pub(crate) const fn has_alpha(&self) -> bool {
        self.bands == 2 || self.bands == 4
    }

    /// Bands without alpha.
    pub(crate) const fn colours(&self) -> usize {
        if self.has_alpha() {
            self.bands - 1
        } else {
            self.bands
        }
    }

    /// A row of samples.
    pub(crate) fn row(&self, y: usize) -> &[u8] {
        let stride = self.width * self.bands;
        &self.data[y * stride..][..stride]
    }

    /// The same, to write to.
    pub(crate) fn row_mut(&mut self, y: usize) -> &mut [u8] {
        let stride = self.width * self.bands;
        &mut self.data[y * stride..][..stride]
    }

    /// Pixel by pixel.
    pub(crate) fn pixels(&self) -> std::slice::ChunksExact<'_, u8> {
        self.data.chunks_exact(self.bands)
    }

    /// The same, to write to.
    pub(crate) fn pixels_mut(&mut self) -> std::slice::ChunksExactMut<'_, u8> {
        self.data.chunks_exact_mut(self.bands)
    }

    /// The samples at a place.
    pub(crate) fn pixel(&self, x: usize, y: usize) -> &[u8] {
        &self.data[(y * self.width + x) * self.bands..][..self.bands]
    }

    /// The same picture with other bands, made pixel by pixel.
    pub(crate) fn map(
        &self,
        budget: &Budget,
        bands: usize,
        mut each: impl FnMut(&[u8], &mut [u8]),
    ) -> Result<Self, Error> {
        let mut made = Self::new(budget, self.width, self.height, bands)?;
        for y in 0..self.height {
            budget.row(y, self.width)?;
            let (from, to) = (self.row(y), made.row_mut(y));
            for (from, to) in from
                .chunks_exact(self.bands)
                .zip(to.chunks_exact_mut(bands))
            {
                each(from, to);
            }
        }
        Ok(made)
    }

    /// Grey becomes RGB of three equal samples.
    pub(crate) fn into_rgb(self, budget: &Budget) -> Result<Self, Error> {
        match self.bands {
            1 => self.map(budget, 3, |from, to| to.fill(from[0])),
            2 => self.map(budget, 4, |from, to| {
                to[..3].fill(from[0]);
                to[3] = from[1];
            }),
            _ => Ok(self),
        }
    }

    /// With alpha, opaque as said where there was none.
    pub(crate) fn into_alpha(self, budget: &Budget, opacity: u8) -> Result<Self, Error> {
        if self.has_alpha() {
            return Ok(self);
        }
        let colours = self.bands;
        self.map(budget, colours + 1, |from, to| {
            to[..colours].copy_from_slice(from);
            to[colours] = opacity;
        })
    }

    /// Without alpha.
    pub(crate) fn into_opaque(self, budget: &Budget) -> Result<Self, Error> {
        if !self.has_alpha() {
            return Ok(self);
        }
        let colours = self.colours();
        self.map(budget, colours, |from, to| {
            to.copy_from_slice(&from[..colours]);
        })
    }

    /// Its samples. The memory is out of the account from here on: for what is given away at once.
    pub(crate) fn into_data(self) -> Vec<u8> {
        drop(self.charge);
        self.data
    }
}

/// What a source holds: one picture, or several of the same size.
#[derive(Debug)]
pub(crate) struct Pages {
    /// At least one.
    pub(crate) pages: Vec<Picture>,
    /// Milliseconds for which each is shown; empty for what is no animation.
    pub(crate) delays: Vec<u32>,
    /// How often it is shown, 0 for ever; `None` for what is no animation.
    pub(crate) repeats: Option<u32>,
}

impl Pages {
    /// One page.
    pub(crate) fn still(picture: Picture) -> Self {
        Self {
            pages: vec![picture],
            delays: Vec::new(),
            repeats: None,
        }
    }

    /// The first page, which says how large all are.
    pub(crate) fn first(&self) -> &Picture {
        &self.pages[0]
    }

    /// Each page changed in the same way.
    pub(crate) fn each(
        self,
        mut change: impl FnMut(Picture) -> Result<Picture, Error>,
    ) -> Result<Self, Error> {
        let mut pages = Vec::with_capacity(self.pages.len());
        for page in self.pages {
            pages.push(change(page)?);
        }
        Ok(Self { pages, ..self })
    }

    /// All pages as one, below each other, as libvips has them.
    pub(crate) fn into_roll(mut self, budget: &Budget) -> Result<Picture, Error> {
        if self.pages.len() == 1
            && let Some(page) = self.pages.pop()
        {
            return Ok(page);
        }
        let first = self.first();
        let (width, height, bands) = (first.width, first.height, first.bands);
        let mut roll = Picture::new(budget, width, height * self.pages.len(), bands)?;
        for (page, to) in self
            .pages
            .iter()
            .zip(roll.data.chunks_exact_mut(width * height * bands))
        {
            to.copy_from_slice(&page.data);
        }
        Ok(roll)
    }
}
