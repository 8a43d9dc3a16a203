//! What can be wrong with a picture, or with what is asked of it, in the words of sharp (NC-115).

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes begin as no format does that is read here.
    #[error("Input buffer contains unsupported image format")]
    UnsupportedFormat,
    /// The format is known and what stands at its beginning makes no sense.
    #[error("Input buffer has corrupt header: {0}")]
    CorruptHeader(String),
    /// What follows the header does not decode.
    #[error("{0}")]
    CorruptData(String),
    /// More pixels than `limitInputPixels` allows.
    #[error("Input image exceeds pixel limit")]
    PixelLimit,
    /// More samples of a pixel than `limitInputChannels` allows.
    #[error("Input image exceeds channel limit")]
    ChannelLimit,
    /// An area that does not lie in the picture.
    #[error("extract_area: bad extract area")]
    BadExtractArea,
    /// What is asked for cannot be had of this picture.
    #[error("{0}")]
    Refused(String),
    /// The function may not have as much memory (LE-264). Functions do not see it: they are ended.
    #[error("fourfront: the function's memory is used up")]
    OutOfMemory,
    /// The call that asked is over (LE-250).
    #[error("fourfront: the call has ended")]
    Cancelled,
}

impl Error {
    /// A refusal of what sharp can do and this does not.
    pub(crate) fn unsupported(what: impl std::fmt::Display) -> Self {
        Self::Refused(format!("fourfront: {what} is not supported"))
    }
}
