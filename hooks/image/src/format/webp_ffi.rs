//! libwebp's encoder. All of the crate's `unsafe` is here.
//!
//! Why C: no encoder for lossy WebP that may be used here exists in Rust. It reads pixels that were made by this crate and
//! never a viewer's bytes. Why not a wrapper: those that there are cannot tell how long the last page of an animation is
//! shown, nor be told that nobody waits any more.

use std::{
    ffi::{CStr, c_int, c_void},
    ptr,
};

use libwebp_sys as sys;

use crate::{Error, budget::Budget, picture::Picture};

/// How to encode.
pub(super) struct Setup<'a> {
    pub(super) quality: u8,
    pub(super) alpha_quality: u8,
    pub(super) is_lossless: bool,
    pub(super) is_near_lossless: bool,
    pub(super) is_sharp_yuv: bool,
    pub(super) is_autofilter: bool,
    pub(super) is_exact: bool,
    pub(super) effort: u8,
    pub(super) preset: &'a str,
}

impl Setup<'_> {
    fn config(&self) -> Result<sys::WebPConfig, Error> {
        use sys::WebPPreset::*;
        let preset = match self.preset {
            "photo" => WEBP_PRESET_PHOTO,
            "picture" => WEBP_PRESET_PICTURE,
            "drawing" => WEBP_PRESET_DRAWING,
            "icon" => WEBP_PRESET_ICON,
            "text" => WEBP_PRESET_TEXT,
            _ => WEBP_PRESET_DEFAULT,
        };
        let quality = f32::from(self.quality);
        let mut config = sys::WebPConfig::new_with_preset(preset, quality)
            .map_err(|()| failed("wrong version"))?;
        config.lossless = (self.is_lossless || self.is_near_lossless).into();
        config.alpha_quality = self.alpha_quality.into();
        config.method = self.effort.min(6).into();
        config.use_sharp_yuv = self.is_sharp_yuv.into();
        config.autofilter = self.is_autofilter.into();
        config.exact = self.is_exact.into();
        if self.is_near_lossless {
            config.near_lossless = self.quality.into();
        }
        Ok(config)
    }
}

fn failed(what: &str) -> Error {
    Error::CorruptData(format!("webpsave_buffer: {what}"))
}

/// Pixels as the encoder keeps them.
struct Pixels<'a> {
    inner: Box<sys::WebPPicture>,
    /// The hook that looks at it is given its address.
    _budget: &'a Budget,
}

/// Called while encoding; 0 ends it.
extern "C" fn goes_on(_percent: c_int, picture: *const sys::WebPPicture) -> c_int {
    // SAFETY: libwebp hands on the picture that it encodes, whose `user_data` [`Pixels::new`] has set to a budget that
    // lives longer than the picture.
    let budget = unsafe { (*picture).user_data.cast::<Budget>().as_ref() };
    budget.is_none_or(|b| b.check().is_ok()).into()
}

impl<'a> Pixels<'a> {
    /// Three or four bands.
    fn new(budget: &'a Budget, picture: &Picture) -> Result<Self, Error> {
        let inner = sys::WebPPicture::new().map_err(|()| failed("wrong version"))?;
        // INVARIANT: from here on it is dropped, and so freed, in every case.
        let mut made = Self {
            inner: Box::new(inner),
            _budget: budget,
        };
        let side = |length: usize| c_int::try_from(length).map_err(|_| failed("too large"));
        made.inner.use_argb = 1;
        made.inner.width = side(picture.width)?;
        made.inner.height = side(picture.height)?;
        made.inner.progress_hook = Some(goes_on);
        made.inner.user_data = ptr::from_ref(budget).cast_mut().cast::<c_void>();
        let stride = side(picture.width * picture.bands)?;
        if picture.data.len() != picture.width * picture.height * picture.bands {
            return Err(failed("size"));
        }
        let import = match picture.bands {
            3 => sys::WebPPictureImportRGB,
            4 => sys::WebPPictureImportRGBA,
            _ => return Err(failed("bands")),
        };
        // SAFETY: the picture was initialized; `height` rows of `stride` bytes lie there, as was just compared, and are
        // copied.
        let taken = unsafe { import(&raw mut *made.inner, picture.data.as_ptr(), stride) };
        if taken == 0 {
            return Err(made.error());
        }
        Ok(made)
    }

    fn error(&self) -> Error {
        use sys::WebPEncodingError::*;
        match self.inner.error_code {
            VP8_ENC_ERROR_USER_ABORT => Error::Cancelled,
            VP8_ENC_ERROR_OUT_OF_MEMORY | VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY => {
                Error::OutOfMemory
            }
            other => failed(&format!("{other:?}")),
        }
    }
}

impl Drop for Pixels<'_> {
    fn drop(&mut self) {
        // SAFETY: initialized by `WebPPicture::new`; freeing is allowed in every state after that, and happens once.
        unsafe { sys::WebPPictureFree(&raw mut *self.inner) }
    }
}

/// Where the encoder writes to.
struct Writer(Box<sys::WebPMemoryWriter>);

impl Writer {
    fn new() -> Self {
        let mut writer = Box::new(sys::WebPMemoryWriter {
            mem: ptr::null_mut(),
            size: 0,
            max_size: 0,
            pad: [0],
        });
        // SAFETY: it writes the structure, whose fields are numbers and a pointer.
        unsafe { sys::WebPMemoryWriterInit(&raw mut *writer) }
        Self(writer)
    }

    fn bytes(&self) -> Vec<u8> {
        if self.0.mem.is_null() {
            return Vec::new();
        }
        // SAFETY: the writer has grown `mem` to at least `size` bytes and written them.
        unsafe { std::slice::from_raw_parts(self.0.mem, self.0.size) }.to_vec()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // SAFETY: initialized in `new`, cleared once.
        unsafe { sys::WebPMemoryWriterClear(&raw mut *self.0) }
    }
}

/// One picture.
pub(super) fn still(
    budget: &Budget,
    setup: &Setup<'_>,
    picture: &Picture,
) -> Result<Vec<u8>, Error> {
    let config = setup.config()?;
    let mut pixels = Pixels::new(budget, picture)?;
    let mut writer = Writer::new();
    pixels.inner.writer = Some(sys::WebPMemoryWrite);
    pixels.inner.custom_ptr = (&raw mut *writer.0).cast::<c_void>();
    // SAFETY: both structures are initialized and live until the call is over, as does the writer; the function that
    // writes is the one for it.
    let done = unsafe { sys::WebPEncode(&raw const config, &raw mut *pixels.inner) };
    if done == 0 {
        return Err(pixels.error());
    }
    Ok(writer.bytes())
}

/// The encoder of animations.
struct Animation(*mut sys::WebPAnimEncoder);

impl Animation {
    fn error(&self) -> Error {
        // SAFETY: the encoder is there until it is dropped; the text is its own, and copied at once.
        let text = unsafe {
            let text = sys::WebPAnimEncoderGetError(self.0);
            if text.is_null() {
                return failed("animation");
            }
            CStr::from_ptr(text).to_string_lossy().into_owned()
        };
        failed(&text)
    }
}

impl Drop for Animation {
    fn drop(&mut self) {
        // SAFETY: made by `WebPAnimEncoderNewInternal`, and deleted once.
        unsafe { sys::WebPAnimEncoderDelete(self.0) }
    }
}

/// Pages, each with the milliseconds for which it is shown.
pub(super) fn animation(
    budget: &Budget,
    setup: &Setup<'_>,
    pages: &[Picture],
    delays: &[u32],
    repeats: u32,
) -> Result<Vec<u8>, Error> {
    let config = setup.config()?;
    let first = pages.first().ok_or_else(|| failed("no pages"))?;
    let version = sys::WebPGetMuxABIVersion();
    let side = |length: usize| c_int::try_from(length).map_err(|_| failed("too large"));
    let mut options = std::mem::MaybeUninit::uninit();
    // SAFETY: it fills the structure in, and says whether it did.
    if unsafe { sys::WebPAnimEncoderOptionsInitInternal(options.as_mut_ptr(), version) } == 0 {
        return Err(failed("wrong version"));
    }
    // SAFETY: filled in by the call before.
    let mut options: sys::WebPAnimEncoderOptions = unsafe { options.assume_init() };
    options.anim_params.loop_count = c_int::try_from(repeats).unwrap_or(0);
    let (width, height) = (side(first.width)?, side(first.height)?);
    // SAFETY: the options are initialized, and copied.
    let encoder =
        unsafe { sys::WebPAnimEncoderNewInternal(width, height, &raw const options, version) };
    if encoder.is_null() {
        return Err(Error::OutOfMemory);
    }
    let encoder = Animation(encoder);
    let mut time: c_int = 0;
    for (page, delay) in pages.iter().zip(delays) {
        let mut pixels = Pixels::new(budget, page)?;
        // SAFETY: all three are initialized; the encoder copies what it keeps of the picture.
        let added = unsafe {
            sys::WebPAnimEncoderAdd(encoder.0, &raw mut *pixels.inner, time, &raw const config)
        };
        if added == 0 {
            budget.check()?;
            return Err(encoder.error());
        }
        time = time.saturating_add(c_int::try_from(*delay).unwrap_or(c_int::MAX));
    }
    let mut data = sys::WebPData {
        bytes: ptr::null(),
        size: 0,
    };
    // SAFETY: without a picture, it says when the last one ends. Then the file is handed over, to be freed here.
    let made = unsafe {
        sys::WebPAnimEncoderAdd(encoder.0, ptr::null_mut(), time, ptr::null()) != 0
            && sys::WebPAnimEncoderAssemble(encoder.0, &raw mut data) != 0
    };
    if !made || data.bytes.is_null() {
        return Err(encoder.error());
    }
    // SAFETY: `size` bytes lie there; they are copied, and freed by the function for what libwebp has allocated.
    Ok(unsafe {
        let bytes = std::slice::from_raw_parts(data.bytes, data.size).to_vec();
        sys::WebPFree(data.bytes.cast_mut().cast::<c_void>());
        bytes
    })
}
