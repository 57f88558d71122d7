//! Data forms (XEP-0004 2.13.2, XEP-0068, XEP-0122).

use std::collections::BTreeMap;

use minidom::Element;
use viaduct_bridge::FieldKind;

use crate::ns;
use crate::xml::Xml;

/// A submitted form.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Submission {
    /// `submit`, `cancel`, …
    pub ty: String,
    /// The `FORM_TYPE`.
    pub form_type: Option<String>,
    /// The values, by field name.
    pub values: BTreeMap<String, Vec<String>>,
}

impl Submission {
    /// Reads the form inside a payload.
    #[must_use]
    pub fn of(parent: &Element) -> Option<Self> {
        parent.get_child("x", ns::DATA).map(Self::parse)
    }

    /// Reads a form.
    #[must_use]
    pub fn parse(form: &Element) -> Self {
        let mut submission = Self {
            ty: form.attr("type").unwrap_or("submit").to_owned(),
            ..Self::default()
        };
        for field in form.children().filter(|child| child.is("field", ns::DATA)) {
            let Some(var) = field.attr("var") else { continue };
            let values: Vec<String> = field
                .children()
                .filter(|child| child.is("value", ns::DATA))
                .map(Element::text)
                .collect();
            if var == "FORM_TYPE" {
                submission.form_type = values.into_iter().next();
            } else {
                submission.values.insert(var.to_owned(), values);
            }
        }
        submission
    }

    /// The first value of a field.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.first().map(String::as_str)
    }

    /// All values, those of one field as lines.
    #[must_use]
    pub fn answers(&self) -> viaduct_bridge::Answers {
        let joined = |(name, values): (&String, &Vec<String>)| (name.clone(), values.join("\n"));
        self.values.iter().map(joined).collect()
    }

    /// Whether the form was cancelled.
    #[must_use]
    pub fn is_cancel(&self) -> bool {
        self.ty == "cancel"
    }
}

/// A form to be filled in, or a result to be read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Shown {
    /// A short title.
    pub title: String,
    /// What to do.
    pub instructions: String,
    /// The `FORM_TYPE`.
    pub form_type: Option<&'static str>,
    /// The fields.
    pub fields: Vec<ShownField>,
}

/// A field of a form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShownField {
    /// Its name.
    pub var: String,
    /// What the user reads.
    pub label: String,
    /// Its type: `text-single`, `list-single`, …
    pub ty: &'static str,
    /// Whether it must be filled in.
    pub required: bool,
    /// What is in it.
    pub values: Vec<String>,
    /// What can be chosen: label and value.
    pub options: Vec<(String, String)>,
}

impl ShownField {
    /// One line of text.
    pub fn text(var: impl Into<String>, label: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            var: var.into(),
            label: label.into(),
            ty: "text-single",
            required: false,
            values: vec![value.into()],
            options: Vec::new(),
        }
    }

    /// Yes or no.
    pub fn boolean(var: impl Into<String>, label: impl Into<String>, value: bool) -> Self {
        Self {
            ty: "boolean",
            ..Self::text(var, label, if value { "1" } else { "0" })
        }
    }

    /// Several JIDs.
    pub fn jids(var: impl Into<String>, label: impl Into<String>, jids: Vec<String>) -> Self {
        Self {
            ty: "jid-multi",
            values: jids,
            ..Self::text(var, label, "")
        }
    }

    /// One of several.
    pub fn list(var: impl Into<String>, label: impl Into<String>, options: Vec<(String, String)>) -> Self {
        Self {
            ty: "list-single",
            values: Vec::new(),
            options,
            required: true,
            ..Self::text(var, label, "")
        }
    }
}

impl From<&viaduct_bridge::Field> for ShownField {
    fn from(field: &viaduct_bridge::Field) -> Self {
        let ty = match field.kind {
            FieldKind::Text => "text-single",
            FieldKind::Secret => "text-private",
            FieldKind::Bool => "boolean",
            FieldKind::Lines => "text-multi",
            FieldKind::Choice(_) => "list-single",
        };
        let value = if field.kind == FieldKind::Secret {
            String::new()
        } else {
            field.value.clone()
        };
        let options = match field.kind {
            FieldKind::Choice(choices) => choices
                .iter()
                .map(|(value, label)| ((*label).to_owned(), (*value).to_owned()))
                .collect(),
            _ => Vec::new(),
        };
        let values = match field.kind {
            FieldKind::Lines => value.lines().map(str::to_owned).collect(),
            _ => vec![value],
        };
        Self {
            ty,
            required: field.required,
            options,
            values,
            ..Self::text(field.name, field.label.clone(), "")
        }
    }
}

impl Shown {
    /// Writes the form; `ty` is `form` or `result`.
    pub fn write(&self, xml: &mut Xml, ty: &str) {
        xml.start_ns("x", ns::DATA).attr("type", ty);
        if !self.title.is_empty() {
            xml.leaf("title", &self.title);
        }
        if !self.instructions.is_empty() {
            xml.leaf("instructions", &self.instructions);
        }
        if let Some(form_type) = self.form_type {
            xml.start("field")
                .attr("var", "FORM_TYPE")
                .attr("type", "hidden")
                .leaf("value", form_type)
                .end();
        }
        for field in &self.fields {
            xml.start("field").attr("type", field.ty);
            // What is fixed is only read, and need not have a name (XEP-0004 §3.3).
            if !field.var.is_empty() {
                xml.attr("var", &field.var).attr("label", &field.label);
            }
            if field.required {
                xml.start("required").end();
            }
            for value in field.values.iter().filter(|value| !value.is_empty()) {
                xml.leaf("value", value);
            }
            for (label, value) in &field.options {
                xml.start("option")
                    .attr("label", label)
                    .leaf("value", value)
                    .end();
            }
            xml.end();
        }
        xml.end();
    }
}
