//! What Biboumi's settings are called here, and which of them have no meaning here.
//!
//! A value is taken as if the user had typed it into the form: what a form would refuse is not taken, with the form's own
//! words. What the user has set here already stays.

use viaduct_bridge::{Answers, Bridge, Scope, Settings};
use viaduct_core::options::Options;
use viaduct_core::portal::join::MOST_HISTORY;

use super::report::Taken;
use super::source::{CHANNEL, Fields, GLOBAL, SERVER};

/// A row of settings, by column.
pub(super) struct Row<'a> {
    columns: &'static [&'static str],
    fields: &'a Fields,
}

impl<'a> Row<'a> {
    /// What is set for everything.
    pub(super) fn global(fields: &'a Fields) -> Self {
        Self {
            columns: GLOBAL,
            fields,
        }
    }

    /// What is set for a server.
    pub(super) fn server(fields: &'a Fields) -> Self {
        Self {
            columns: SERVER,
            fields,
        }
    }

    /// What is set for a channel.
    pub(super) fn channel(fields: &'a Fields) -> Self {
        Self {
            columns: CHANNEL,
            fields,
        }
    }

    /// A value, where there is one.
    pub(super) fn get(&self, column: &str) -> Option<&'a str> {
        let at = self.columns.iter().position(|name| *name == column)?;
        let value = self.fields.get(at)?.as_deref()?.trim();
        (!value.is_empty()).then_some(value)
    }
}

/// What is set within a scope here, while Biboumi's settings are added.
pub(super) struct Merge<'a> {
    pub(super) bridge: &'a dyn Bridge,
    pub(super) scope: Scope,
    pub(super) options: Options,
    pub(super) network: Settings,
    pub(super) taken: Taken,
}

impl Merge<'_> {
    /// What is set for everything.
    pub(super) fn global(&mut self, row: &Row<'_>) {
        if let Some(length) = row.get("maxhistorylength_").filter(|length| *length != "20") {
            self.option("max_history_length", length);
        }
        // Recording is on unless it was switched off.
        match row.get("recordhistory_") {
            None | Some("1") => {}
            Some("0") => self.option("record_history", "no"),
            Some(other) => self.taken.refused("record_history", not_a_switch(other)),
        }
        self.persistent(row);
    }

    /// What is set for a channel.
    pub(super) fn channel(&mut self, row: &Row<'_>) {
        // Three states: 0 is unset. (The length of the history has a column here too, which nobody could set.)
        match row.get("recordhistory_") {
            None | Some("0") => {}
            Some("1") => self.option("record_history", "yes"),
            Some("-1") => self.option("record_history", "no"),
            Some(other) => self.taken.refused("record_history", not_a_switch(other)),
        }
        self.persistent(row);
        self.encodings(row);
    }

    /// What is set for a server.
    pub(super) fn server(&mut self, row: &Row<'_>, commands: &[String]) {
        for (column, field) in [
            ("nick_", "nick"),
            ("username_", "username"),
            ("realname_", "realname"),
            ("pass_", "password"),
            ("saslpassword_", "sasl_password"),
        ] {
            if let Some(value) = row.get(column) {
                self.field(field, value);
            }
        }
        if row.get("saslpassword_").is_some() {
            match row.get("nick_").filter(|_| self.network.value("nick").is_some()) {
                Some(nick) => self.field("sasl_account", nick),
                None => self.taken.refused(
                    "sasl_account",
                    "Biboumi gave the password with the nickname of the first join, which is not on record; set the \
                     account's name before connecting"
                        .to_owned(),
                ),
            }
        }
        if !commands.is_empty() {
            self.field("after_connect_commands", &commands.join("\n"));
        }
        self.ports(row);
        match row.get("verifycert_") {
            None | Some("1") => {}
            Some("0") => self.field("verify_cert", "0"),
            Some(other) => self.taken.refused("verify_cert", not_a_switch(other)),
        }
        if let Some(value) = row.get("trustedfingerprint_") {
            self.field("fingerprint", &value.replace(':', ""));
        }
        self.encodings(row);
        // The form is filled with the server's own name.
        if row
            .get("address_")
            .is_some_and(|address| Some(address) != row.get("server_"))
        {
            self.taken.refused(
                "address",
                "where a server is, is the operator's to say: host in a table of its own".to_owned(),
            );
        }
        // So many lines at once, then one each second; here it is the pace alone that users set.
        match row.get("throttlelimit_") {
            None | Some("10") => {}
            Some("0") => self.field("lines_per_second", "1"),
            Some(other) => self.taken.refused(
                "throttle_limit",
                format!("how many lines may come at once ({other}) is the operator's to say: flood"),
            ),
        }
    }

    fn ports(&mut self, row: &Row<'_>) {
        let list = |column| {
            let ports = row.get(column).unwrap_or_default().split(';');
            ports
                .filter(|port| !port.is_empty())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (tls, plain) = (list("tlsports_"), list("ports_"));
        if !tls.is_empty() && (tls != "6697, 6670" || plain.is_empty()) {
            // Without other ports it was never tried unencrypted; who names those with TLS has that here.
            self.field("tls_ports", &tls);
        }
        if !plain.is_empty() && plain != "6667" {
            self.field("ports", &plain);
        }
    }

    fn encodings(&mut self, row: &Row<'_>) {
        for (column, field) in [("encodingin_", "encoding_in"), ("encodingout_", "encoding_out")] {
            if let Some(value) = row.get(column) {
                self.field(field, value);
            }
        }
    }

    /// That a channel is not persistent is no choice against what is set for everything, which went before it.
    fn persistent(&mut self, row: &Row<'_>) {
        match row.get("persistent_") {
            None | Some("0") => {}
            Some("1") => self.option("persistent", "yes"),
            Some(other) => self.taken.refused("persistent", not_a_switch(other)),
        }
    }

    fn option(&mut self, field: &'static str, value: &str) {
        let answers = Answers::from([(field.to_owned(), value.to_owned())]);
        let before = self.options;
        match before.read(&answers, MOST_HISTORY) {
            Ok(after) if after == before => self.taken.same(),
            // Whatever else was there was chosen here.
            Ok(_) if is_set(&before, field) => self.taken.stays(field),
            Ok(after) => {
                self.options = after;
                self.taken.took(field);
            }
            Err(reason) => self.taken.refused(field, reason),
        }
    }

    fn field(&mut self, field: &'static str, value: &str) {
        if self.network.value(field).is_some() || self.network.secrets.contains_key(field) {
            return self.taken.stays(field);
        }
        let answers = Answers::from([(field.to_owned(), value.to_owned())]);
        match self.bridge.read_settings(&self.scope, &self.network, &answers) {
            Ok(after) if after == self.network => self.taken.refused(
                field,
                "the operator has said how this is for the server".to_owned(),
            ),
            Ok(after) => {
                self.network = after;
                self.taken.took(field);
            }
            // The reason may quote what stands there, and that may be a password.
            Err(_) if matches!(field, "password" | "sasl_password" | "after_connect_commands") => {
                self.taken.refused(field, "it cannot be so here".to_owned());
            }
            Err(bad) => self.taken.refused(field, bad.reason),
        }
    }
}

fn is_set(options: &Options, field: &str) -> bool {
    match field {
        "record_history" => options.history.is_some(),
        "max_history_length" => options.history_at_join.is_some(),
        _ => options.persistent.is_some(),
    }
}

fn not_a_switch(value: &str) -> String {
    format!("'{value}' is neither on nor off")
}
