//! Parts that several pages use.

pub mod avatar;
pub mod clerk_widget;
pub mod error_view;
pub mod text_field;
pub mod time;
