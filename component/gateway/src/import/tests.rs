//! Tests of the import on databases of Biboumi's kind.
