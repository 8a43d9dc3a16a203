//! From a site file to the model: parsing, checking, naming what is wrong.
