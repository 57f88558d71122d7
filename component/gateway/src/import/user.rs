//! A user as on record here, and what is added to that.

use std::collections::{HashMap, HashSet};
use std::io::Write as Out;

use anyhow::Result;
use jid::BareJid;
use viaduct_bridge::{Name, Recipient, RoomId, Scope, Settings as Network};
use viaduct_core::options::{Chosen, Options};
use viaduct_core::records::{
    ImportedRecord, LoginId, LoginRecord, PortalRecord, Preferences, SettingsRecord, Write,
};

use super::Import;
use super::mapping::Merge;
use super::report::Taken;

/// A user, as on record here.
pub(super) struct User {
    pub(super) id: LoginId,
    /// The name in Biboumi's database.
    pub(super) owner: String,
    pub(super) bare: Name,
    /// What the user is called before the `@`.
    pub(super) node: String,
    pub(super) recorded: bool,
    pub(super) set: HashMap<Scope, (Options, Network)>,
    pub(super) rooms: HashMap<RoomId, PortalRecord>,
    pub(super) contacts: HashSet<Name>,
    pub(super) imported: HashMap<Scope, Option<(i64, i64)>>,
    pub(super) changed: bool,
}

impl User {
    pub(super) fn set_in(&self, scope: &Scope) -> (Options, Network) {
        self.set.get(scope).cloned().unwrap_or_default()
    }

    /// What holds in a room, all scopes together.
    pub(super) fn chosen_in(&self, room: &RoomId, history: u32) -> Chosen {
        [
            Scope::Everything,
            Scope::Server(room.server.clone()),
            Scope::Room(room.clone()),
        ]
        .iter()
        .fold(Chosen::by_default(history), |chosen, scope| {
            chosen.with(&self.set_in(scope).0)
        })
    }
}

impl<W: Out> Import<W> {
    /// What is on record of a user.
    pub(super) async fn load(&self, owner: &str, jid: &BareJid) -> Result<User> {
        let bare = Name::from(jid.as_str());
        let mut user = User {
            id: LoginId(0),
            owner: owner.to_owned(),
            bare: bare.clone(),
            node: jid.node().map(ToString::to_string).unwrap_or_default(),
            recorded: false,
            set: HashMap::new(),
            rooms: HashMap::new(),
            contacts: HashSet::new(),
            imported: HashMap::new(),
            changed: false,
        };
        let loaded = match &self.store {
            Some(store) => store
                .load_login(&self.domain, &bare)
                .await?
                .map(|login| (store, login)),
            None => None,
        };
        let Some((store, loaded)) = loaded else {
            user.id = self.ids.login();
            return Ok(user);
        };
        user.id = loaded.login.id;
        user.recorded = true;
        let settings = loaded.settings.into_iter();
        user.set = settings
            .map(|record| (record.scope, (record.options, record.network)))
            .collect();
        user.contacts = loaded.contacts.into_iter().collect();
        for portal in loaded.portals {
            if let Recipient::Room(room) = &portal.portal.with {
                user.rooms.insert(room.clone(), portal.portal);
            }
        }
        let imported = store.imported(user.id).await?.into_iter();
        user.imported = imported.map(|record| (record.scope, record.lines)).collect();
        Ok(user)
    }

    /// Adds settings within a scope, unless that was done before. Gives what is to be written.
    pub(super) fn scope(
        &mut self,
        user: &mut User,
        about: &str,
        scope: &Scope,
        add: impl FnOnce(&mut Merge<'_>),
    ) -> Result<Vec<Write>> {
        if user.imported.contains_key(scope) {
            return Ok(Vec::new());
        }
        let before = user.set_in(scope);
        let mut merge = Merge {
            bridge: &*self.bridge,
            scope: scope.clone(),
            options: before.0,
            network: before.1.clone(),
            taken: Taken::default(),
        };
        add(&mut merge);
        let Merge {
            options,
            network,
            taken,
            ..
        } = merge;
        self.report.settings(about, &taken)?;
        let mut writes = Vec::new();
        if before != (options, network.clone()) {
            user.set.insert(scope.clone(), (options, network.clone()));
            writes.push(Write::Settings(Box::new(SettingsRecord {
                login: user.id,
                scope: scope.clone(),
                options,
                network,
            })));
        }
        user.imported.insert(scope.clone(), None);
        writes.push(imported(user, scope, None));
        Ok(writes)
    }

    /// Writes all of this, or nothing.
    pub(super) async fn commit(&self, user: &mut User, mut writes: Vec<Write>) -> Result<()> {
        if writes.is_empty() {
            return Ok(());
        }
        user.changed = true;
        if !std::mem::replace(&mut user.recorded, true) {
            let login = LoginRecord {
                id: user.id,
                gateway: self.domain.clone(),
                user: user.bare.clone(),
                account: None,
                preferences: Preferences::default(),
            };
            writes.insert(0, Write::Login(Box::new(login)));
        }
        if let (Some(store), false) = (&self.store, self.dry) {
            store.write(writes).await.await?;
        }
        Ok(())
    }
}

/// How far a scope has come.
pub(super) fn imported(user: &User, scope: &Scope, lines: Option<(i64, i64)>) -> Write {
    Write::Imported(Box::new(ImportedRecord {
        login: user.id,
        scope: scope.clone(),
        lines,
    }))
}
