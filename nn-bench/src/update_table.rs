//! Tables of figures at some updates, which a run writes and reads again when it is resumed.

/// The table: a line of columns, then one for each update.
pub fn written<const FIGURES: usize>(
    columns: &str,
    rows: impl Iterator<Item = (u64, [f64; FIGURES])>,
) -> String {
    let row = |(update, figures): (u64, [f64; FIGURES])| {
        let figures: String = figures.iter().map(|figure| format!(",{figure}")).collect();
        format!("{update}{figures}\n")
    };
    format!("{columns}\n{}", rows.map(row).collect::<String>())
}

/// What [`written`] wrote; lines that are cut off are left out.
pub fn read<const FIGURES: usize>(table: &str) -> Vec<(u64, [f64; FIGURES])> {
    let row = |line: &str| {
        let mut cells = line.split(',');
        let update = cells.next()?.parse().ok()?;
        let figures: Vec<f64> = cells.map(|cell| cell.parse().ok()).collect::<Option<_>>()?;
        Some((update, figures.try_into().ok()?))
    };
    table.lines().skip(1).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let rows = [5, 10].map(|update| (update, [1.0 / 3.0 + update as f64, 1e-17, 4.25]));
        let text = written("update,a,b,c", rows.into_iter());
        assert_eq!(read(&text), rows);
        assert_eq!(read(&text[..text.len() - 6]), rows[..1]);
        assert!(read::<3>("").is_empty());
    }
}
