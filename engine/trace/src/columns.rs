//! Tables as columns: one `Vec` per field, so that a pass over start times touches start times only.

/// Declares a row type and its table of columns with `push`, `row`, `len` and `permute`.
macro_rules! columns {
    ($(#[$table_doc:meta])* $table:ident, $(#[$row_doc:meta])* $row:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)+ }) => {
        $(#[$row_doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub struct $row { $($(#[$doc])* pub $field: $type,)+ }

        $(#[$table_doc])*
        #[derive(Debug, Clone, Default)]
        pub struct $table { $($(#[$doc])* pub $field: Vec<$type>,)+ }

        impl $table {
            /// Adds a row at the end.
            pub fn push(&mut self, row: $row) { $(self.$field.push(row.$field);)+ }

            /// A copy of row `index`; panics where the table is shorter, as a slice does.
            pub fn row(&self, index: usize) -> $row { $row { $($field: self.$field[index],)+ } }

            /// All rows in order.
            pub fn rows(&self) -> impl Iterator<Item = $row> + '_ { (0..self.len()).map(|index| self.row(index)) }

            /// Number of rows.
            pub fn len(&self) -> usize { first!($(self.$field),+).len() }

            /// Whether there is no row.
            pub fn is_empty(&self) -> bool { self.len() == 0 }

            /// Puts the rows into the order that `order` lists, no index twice; rows that it leaves out are dropped.
            pub fn permute(&mut self, order: &[u32]) {
                $(self.$field = order.iter().map(|&index| self.$field[index as usize]).collect();)+
            }
        }
    };
}

/// The first of several expressions.
macro_rules! first {
    ($first:expr $(, $rest:expr)*) => {
        $first
    };
}
