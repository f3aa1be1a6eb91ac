//! A chart over a time: its picture, and the numbers behind it as a table.
//!
//! How it is drawn is `server::statistics::chart`.

use serde::{Deserialize, Serialize};

/// How far back charts go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    #[default]
    Hour,
    Day,
    Week,
}

impl Period {
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Week];

    /// Its word in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Hour => "1 hour",
            Self::Day => "24 hours",
            Self::Week => "7 days",
        }
    }

    /// The hour where nothing is said; none for what is no word of ours.
    pub fn parse(word: &str) -> Option<Self> {
        if word.is_empty() {
            return Some(Self::default());
        }
        Self::ALL.into_iter().find(|period| period.as_str() == word)
    }
}

/// One chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chart {
    /// Also its id on the page.
    pub name: String,
    pub title: String,
    /// What it shows, in one sentence with its extremes: for those who do not see the picture.
    pub summary: String,
    /// Its columns stand on each other, in the order of the series.
    pub is_stacked: bool,
    /// An `svg` element without any colour of its own: the stylesheet gives each its colour.
    pub svg: String,
    /// How many points in time the picture has.
    pub points: u32,
    /// The names of the series, in the order of the legend.
    pub series: Vec<String>,
    /// The time and one value for each series, the oldest first; times in which nothing happened are left out.
    pub rows: Vec<ChartRow>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartRow {
    /// Its place among the points.
    pub place: u32,
    pub at: String,
    pub values: Vec<String>,
}
