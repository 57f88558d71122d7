//! `viaduct import-biboumi`: takes over what Biboumi remembers of its users: settings, persistent channels, contacts and
//! archives. The addresses of both are the same, so bookmarks, contacts and archives in clients go on.
//!
//! [`source`] reads Biboumi's database, [`mapping`] knows what its settings are called here, [`archive`] makes lines to
//! messages, [`report`] says what was done. Each scope's settings are committed together with a note that they were taken
//! (`ImportedRecord`), and each batch of lines with how far it has come; so whatever a run was interrupted in, the next
//! goes on, and what was taken once is never taken again, also if the user has changed it since.

mod archive;
mod mapping;
mod report;
mod source;
#[cfg(test)]
mod tests;
mod user;

use std::collections::HashMap;
use std::io::{self, Write as Out};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, Result, anyhow};
use jid::{BareJid, Jid};
use viaduct_bridge::{Address, Bridge, Name, Recipient, RoomId, Scope, ServerId, Timestamp};
use viaduct_core::context::IdSource;
use viaduct_core::records::{PortalRecord, Write};
use viaduct_store::{SealingKey, Store};

use self::mapping::Row;
use self::report::Report;
use self::source::{Fields, Source};
use self::user::User;
use crate::app::gateway::{network, occupant_secret};
use crate::app::no_notes::NoNotes;
use crate::config::{GatewaySettings, Settings};

/// Takes over a database of Biboumi, or says what would be done.
pub(crate) async fn biboumi(
    settings: Settings,
    gateway: Option<&str>,
    from: &str,
    dry: bool,
) -> Result<ExitCode> {
    let gateway = choose(&settings, gateway)?;
    let source = Source::open(from).await?;
    let store = if dry {
        Store::look(settings.store.clone()).await?
    } else {
        let key = SealingKey::load_or_create(&settings.store.key_file)?;
        Some(Store::open(settings.store.clone(), key).await?)
    };
    let done = Box::pin(run(&settings, gateway, source, store.clone(), dry)).await;
    if let Some(store) = store {
        store.close().await;
    }
    done.map(|()| ExitCode::SUCCESS)
}

/// The gateway that takes Biboumi's place.
fn choose<'a>(settings: &'a Settings, name: Option<&str>) -> Result<&'a GatewaySettings> {
    match (name, &settings.gateways[..]) {
        (Some(name), all) => all
            .iter()
            .find(|gateway| gateway.name == name)
            .with_context(|| format!("there is no [gateway.{name}] in the configuration")),
        (None, [only]) => Ok(only),
        (None, _) => Err(anyhow!(
            "say with --gateway which of the gateways in the configuration takes Biboumi's place"
        )),
    }
}

async fn run(
    settings: &Settings,
    gateway: &GatewaySettings,
    source: Source,
    store: Option<Store>,
    dry: bool,
) -> Result<()> {
    let domain = Name::from(gateway.target.domain.as_str());
    let secret = match &store {
        Some(store) if !dry => occupant_secret(&*store.notebook(), &domain)?,
        _ => [0; 32],
    };
    let notebook = store
        .as_ref()
        .map_or_else(|| Arc::new(NoNotes) as _, Store::notebook);
    let now = Timestamp::from_system(SystemTime::now());
    let mut import = Import {
        source,
        ids: IdSource::new(store.as_ref().map_or(0, Store::highest_id), now),
        store,
        dry,
        bridge: network(gateway, &settings.outgoing, notebook)?.bridge(),
        domain,
        history: gateway.history,
        secret,
        now,
        report: Report::new(io::BufWriter::new(io::stdout())),
    };
    import.all().await
}

/// A run.
struct Import<W> {
    source: Source,
    /// `None` where there is no database yet, and none is to be made.
    store: Option<Store>,
    dry: bool,
    bridge: Arc<dyn Bridge>,
    domain: Name,
    ids: IdSource,
    /// How many messages of history a join gets unasked.
    history: u32,
    /// Makes occupant-ids.
    secret: [u8; 32],
    now: Timestamp,
    report: Report<W>,
}

impl<W: Out> Import<W> {
    /// Takes over all users, one after the other.
    async fn all(&mut self) -> Result<()> {
        let mut owner = String::new();
        while let Some(next) = self.source.next_owner(&owner).await? {
            owner = next;
            self.report.user(&owner);
            match BareJid::new(&owner) {
                Ok(jid) => self.user(&owner, &jid).await?,
                Err(_) => self
                    .report
                    .refused("everything", "this is no address of a user")?,
            }
        }
        Ok(self.report.end(self.dry)?)
    }

    async fn user(&mut self, owner: &str, jid: &BareJid) -> Result<()> {
        let mut user = self.load(owner, jid).await?;
        self.everything(&mut user).await?;
        for row in self.source.servers(owner).await? {
            self.server(&mut user, &row).await?;
        }
        let mut channels: HashMap<(String, String), Fields> = HashMap::new();
        for row in self.source.channels(owner).await? {
            let name = |column| Row::channel(&row).get(column).unwrap_or_default().to_owned();
            channels.insert((name("channel_"), name("server_")), row);
        }
        let mut at = (String::new(), String::new());
        while let Some(next) = self.source.next_archive(owner, &at).await? {
            at = next;
            let options = channels.remove(&at);
            self.room(&mut user, &at, options.as_ref(), true).await?;
        }
        let mut rest: Vec<_> = channels.into_iter().collect();
        rest.sort();
        for (channel, options) in rest {
            self.room(&mut user, &channel, Some(&options), false).await?;
        }
        self.report.totals.users += u64::from(user.changed);
        Ok(())
    }

    /// What is set for everything, and the contacts.
    async fn everything(&mut self, user: &mut User) -> Result<()> {
        let global = self.source.global(&user.owner).await?;
        let mut contacts: Vec<Name> = Vec::new();
        if !user.imported.contains_key(&Scope::Everything) {
            for jid in self.source.contacts(&user.owner).await? {
                if jid == *self.domain {
                    // The gateway itself: who subscribes to it is noted nowhere here.
                    continue;
                }
                match self.contact(&jid) {
                    Ok(local) if user.contacts.contains(&local) => {}
                    Ok(local) => contacts.push(local),
                    Err(reason) => self.report.refused(&jid, &reason)?,
                }
            }
        }
        if global.is_none() && contacts.is_empty() {
            return Ok(());
        }
        let mut writes = self.scope(user, "everything", &Scope::Everything, |merge| {
            if let Some(row) = &global {
                merge.global(&Row::global(row));
            }
        })?;
        if !contacts.is_empty() {
            self.report.totals.contacts += contacts.len() as u64;
            self.report.done("contacts", &contacts.join(", "))?;
            let login = user.id;
            writes.extend(contacts.into_iter().map(|local| Write::Contact { login, local }));
        }
        self.commit(user, writes).await
    }

    /// The localpart of a contact.
    fn contact(&self, jid: &str) -> Result<Name, String> {
        let jid = Jid::new(jid).map_err(|_| "this is no address".to_owned())?;
        if jid.domain().as_str() != self.domain.as_str() {
            return Err(format!("this is not at {}", self.domain));
        }
        let local = jid.node().map(ToString::to_string).unwrap_or_default();
        match self.bridge.parse(&local) {
            Ok(address @ Address::Person(_)) => Ok(self.bridge.localpart(&address).unwrap_or(local).into()),
            Ok(_) => Err("this is not a person".to_owned()),
            Err(bad) => Err(bad.reason),
        }
    }

    async fn server(&mut self, user: &mut User, fields: &Fields) -> Result<()> {
        let row = Row::server(fields);
        let name = row.get("server_").unwrap_or_default().to_owned();
        // Through the address of a channel there, which says the same with one fixed server and with many.
        let server = match self.room_id("#a", &name) {
            Ok((room, _)) => room.server,
            Err(reason) => return Ok(self.report.refused(&name, &reason)?),
        };
        let commands = match row.get("id_").and_then(|id| id.parse().ok()) {
            Some(id) => self.source.commands(id).await?,
            None => Vec::new(),
        };
        let writes = self.scope(user, &name, &Scope::Server(server), |merge| {
            merge.server(&row, &commands)
        })?;
        self.commit(user, writes).await
    }

    async fn room(
        &mut self,
        user: &mut User,
        channel: &(String, String),
        options: Option<&Fields>,
        has_lines: bool,
    ) -> Result<()> {
        let about = format!("{} on {}", channel.0, channel.1);
        let (room, local) = match self.room_id(&channel.0, &channel.1) {
            Ok(found) => found,
            Err(reason) => return Ok(self.report.refused(&about, &reason)?),
        };
        let scope = Scope::Room(room.clone());
        let is_new = !user.imported.contains_key(&scope);
        let row = options.map(Row::channel);
        let mut writes = self.scope(user, &about, &scope, |merge| {
            if let Some(row) = &row {
                merge.channel(row);
            }
        })?;
        let chosen = user.chosen_in(&room, self.history);
        let is_persistent = row.is_some_and(|row| row.get("persistent_") == Some("1"));
        let keeps = is_new
            && is_persistent
            && chosen.persistent
            && user.rooms.get(&room).is_none_or(|portal| !portal.kept);
        if keeps {
            self.report.totals.rooms += 1;
            self.report
                .done(&about, "is joined at the next start, and stays")?;
        }
        let takes_lines = has_lines && chosen.history;
        if keeps || (takes_lines && !user.rooms.contains_key(&room)) {
            let nick = self.nick(user, &room.server);
            let (id, login) = (self.ids.portal(), user.id);
            let portal = user.rooms.entry(room.clone()).or_insert_with(|| PortalRecord {
                id,
                login,
                with: Recipient::Room(room.clone()),
                local,
                nick,
                key: None,
                topic: None,
                kept: false,
            });
            portal.kept |= keeps;
            writes.push(Write::Portal(Box::new(portal.clone())));
        }
        self.commit(user, writes).await?;
        match (has_lines, takes_lines) {
            (_, true) => self.archive(user, channel, &room, &about).await,
            (true, false) if is_new => {
                let words = "the archive, because none is kept of this room (record_history)";
                Ok(self.report.refused(&about, words)?)
            }
            _ => Ok(()),
        }
    }

    /// A channel's room, and the localpart of its address.
    fn room_id(&self, channel: &str, server: &str) -> Result<(RoomId, Name), String> {
        let server = server.to_ascii_lowercase();
        let named = Address::Room(RoomId {
            server: ServerId(server.as_str().into()),
            room: channel.to_ascii_lowercase().into(),
        });
        let local = self.bridge.localpart(&named).unwrap_or_default();
        let address = self.bridge.parse(&local).map_err(|bad| bad.reason)?;
        let Address::Room(room) = &address else {
            return Err("this is not a channel".to_owned());
        };
        if room.server.as_str() != server {
            return Err(format!(
                "this gateway has one server, {}, and the channel is on another",
                room.server
            ));
        }
        let local = self.bridge.localpart(&address).unwrap_or(local);
        Ok((room.clone(), local.into()))
    }

    /// The nickname for a room of which none is on record.
    fn nick(&self, user: &User, server: &ServerId) -> Name {
        let network = user.set_in(&Scope::Server(server.clone())).1;
        let set = network.value("nick").map(Name::from);
        set.or_else(|| self.bridge.nick_for(&user.node))
            .unwrap_or_else(|| "user".into())
    }
}
