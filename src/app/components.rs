//! Parts that several pages share.

pub mod admin_nav;
pub mod avatar;
pub mod chart_tip;
pub mod clerk_widget;
pub mod confirm;
pub mod copy;
pub mod effect_table;
pub mod error_view;
pub mod event_table;
pub mod fields;
pub mod keep_fresh;
pub mod loaded;
pub mod notice;
pub mod pager;
pub mod people_table;
pub mod person_actions;
pub mod record_table;
pub mod renewal;
pub mod roster_filter;
pub mod run_progress;
pub mod suggest_words;
pub mod text_field;
pub mod time;
pub mod timeline;
pub mod trail_table;
