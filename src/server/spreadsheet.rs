//! Cells of a file that a spreadsheet opens (D5-03). Which cells there are is its writer's business.

/// What begins with one of these is a formula.
const FORMULAS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// Where some spreadsheets begin another cell, whatever the file's own separator is.
const SEPARATORS: [char; 4] = [';', '\t', '\r', '\n'];

/// No formula, whatever somebody called themselves: not at the beginning, nor where a cell may be taken apart.
pub fn safe(cell: &str) -> String {
    let mut safe = String::with_capacity(cell.len());
    let mut before = None;
    for letter in cell.chars() {
        if before.is_none_or(|before| SEPARATORS.contains(&before)) && FORMULAS.contains(&letter) {
            safe.push('\'');
        }
        safe.push(letter);
        before = Some(letter);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_03_no_cell_is_a_formula_wherever_it_is_taken_apart() {
        for (cell, kept) in [
            ("", ""),
            ("Ada = Lovelace; +1 - @", "Ada = Lovelace; +1 - @"),
            ("=1+1", "'=1+1"),
            ("\r=1", "'\r'=1"),
            ("\t@x", "'\t'@x"),
            ("x;=cmd|'/C calc'!A0;y", "x;'=cmd|'/C calc'!A0;y"),
            ("x;-2;+3\n@4\t=5", "x;'-2;'+3\n'@4\t'=5"),
        ] {
            assert_eq!(safe(cell), kept, "{cell:?}");
        }
    }
}
