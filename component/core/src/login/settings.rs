//! What the user has set: kept by scope, told to the network before anything else, and applied to rooms.

use viaduct_bridge::{Answers, Command, Name, RoomId, Scope, ServerId, Settings};

use super::Login;
use crate::effect::{Effect, Effects};
use crate::forms::ShownField;
use crate::options::{Chosen, Options};
use crate::portal::Place;
use crate::portal::join::MOST_HISTORY;
use crate::portal::presence::status;
use crate::records::{SettingsRecord, Write};
use crate::stanza::{Condition, Problem};

/// The most rooms and servers that one user has settings for.
const MOST_SCOPES: usize = 500;

/// What a user sets within a scope, as it will be.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct OwnSettings {
    scope: Scope,
    options: Options,
    network: Settings,
}

impl Login {
    /// The fields of everything that the user can set within a scope.
    pub(crate) fn own_fields(&self, scope: &Scope) -> Vec<ShownField> {
        let (options, network) = self.set_in(scope);
        let mut fields = options.fields(&self.chosen_around(scope));
        let form = self.ctx.bridge.settings_form(scope, &network);
        fields.extend(form.fields.iter().map(ShownField::from));
        fields
    }

    /// Reads answers to these fields. A field that is missing stays as it was.
    ///
    /// # Errors
    /// Names the field that cannot be so.
    pub(crate) fn own_settings(&self, scope: &Scope, answers: &Answers) -> Result<OwnSettings, Problem> {
        let (options, network) = self.set_in(scope);
        let wrong = |text: String| Problem::because(Condition::NotAcceptable, text);
        if self.settings.len() >= MOST_SCOPES && !self.settings.contains_key(scope) {
            let text = format!("You have settings for {MOST_SCOPES} rooms and servers: set some back first.");
            return Err(Problem::because(Condition::ResourceConstraint, text));
        }
        let options = options.read(answers, MOST_HISTORY).map_err(wrong)?;
        let network = self
            .ctx
            .bridge
            .read_settings(scope, &network, answers)
            .map_err(|bad| wrong(format!("{} ({})", bad.reason, bad.field)))?;
        let scope = scope.clone();
        Ok(OwnSettings {
            scope,
            options,
            network,
        })
    }

    /// Sets them.
    pub(crate) fn set_own(&mut self, own: &OwnSettings, out: &mut Effects) {
        self.set(&own.scope, own.options, own.network.clone(), out);
    }

    /// What is set within a scope.
    pub(crate) fn set_in(&self, scope: &Scope) -> (Options, Settings) {
        self.settings.get(scope).cloned().unwrap_or_default()
    }

    fn usually(&self) -> Chosen {
        let usual = Chosen::by_default(self.ctx.rules().history_default);
        usual.with(&self.set_in(&Scope::Everything).0)
    }

    /// What holds for a server, all scopes together.
    pub(crate) fn chosen_at(&self, server: &ServerId) -> Chosen {
        let usual = self.usually();
        match self.settings.get(&Scope::Server(server.clone())) {
            Some((options, _)) => usual.with(options),
            None => usual,
        }
    }

    /// What holds for a room, all scopes together.
    pub(crate) fn chosen_in(&self, room: &RoomId) -> Chosen {
        let chosen = self.chosen_at(&room.server);
        match self.settings.get(&Scope::Room(room.clone())) {
            Some((options, _)) => chosen.with(options),
            None => chosen,
        }
    }

    /// What would hold within a scope if nothing were set there.
    pub(crate) fn chosen_around(&self, scope: &Scope) -> Chosen {
        match scope {
            Scope::Everything => Chosen::by_default(self.ctx.rules().history_default),
            Scope::Server(_) => self.usually(),
            Scope::Room(room) => self.chosen_at(&room.server),
        }
    }

    /// Sets what is set within a scope.
    pub(crate) fn set(&mut self, scope: &Scope, options: Options, network: Settings, out: &mut Effects) {
        let before = self.set_in(scope);
        if before == (options, network.clone()) {
            return;
        }
        self.ensure_recorded(out);
        out.write(Write::Settings(Box::new(SettingsRecord {
            login: self.id,
            scope: scope.clone(),
            options,
            network: network.clone(),
        })));
        if options.is_empty() && network.is_empty() {
            self.settings.remove(scope);
        } else {
            self.settings.insert(scope.clone(), (options, network.clone()));
        }
        if self.session && before.1 != network {
            let scope = scope.clone();
            let settings = network;
            self.submit(Command::Configure { scope, settings }, out);
        }
        if before.0 != options {
            self.apply_options(out);
        }
    }

    /// Makes all rooms as they are now set to be.
    fn apply_options(&mut self, out: &mut Effects) {
        let rooms: Vec<RoomId> = self.rooms.keys().cloned().collect();
        for id in rooms {
            let chosen = self.chosen_in(&id);
            let Some(room) = self.rooms.get_mut(&id) else {
                continue;
            };
            room.chosen = chosen;
            room.forget_seen(out);
            if chosen.persistent && room.place == Place::Inside {
                room.keep(out);
            } else if !chosen.persistent && room.kept {
                room.let_go(out);
                if room.is_unused() {
                    let command = room.depart(None);
                    if let Some(command) = command {
                        self.submit(command, out);
                    }
                    self.release(&id.server, out);
                }
            }
        }
    }

    /// Tells a session that has just been opened what the user has set.
    pub(super) fn configure(&self, out: &mut Effects) {
        for (scope, (_, settings)) in self.settings.iter().filter(|(_, (_, s))| !s.is_empty()) {
            let (scope, settings) = (scope.clone(), settings.clone());
            out.push(Effect::Submit(Command::Configure { scope, settings }));
        }
    }

    /// A room that would be kept is not, from now on.
    pub(super) fn keep_no_more(&mut self, id: &RoomId, out: &mut Effects) {
        if self.chosen_in(id).persistent {
            let scope = Scope::Room(id.clone());
            let (mut options, network) = self.set_in(&scope);
            options.persistent = Some(false);
            self.set(&scope, options, network, out);
        }
    }

    /// The user may not be in a room any more: the operator has changed who may use the gateway.
    pub(super) fn turn_out(&mut self, id: &RoomId, out: &mut Effects) {
        let text = self
            .shut_out()
            .and_then(|problem| problem.text)
            .unwrap_or_default();
        let Some(room) = self.rooms.get_mut(id) else {
            return;
        };
        room.expel(&self.ctx, &[status::TECHNICAL], Some(&text), out);
        room.let_go(out);
        if let Some(command) = room.depart(None) {
            self.submit(command, out);
        }
        self.release(&id.server, out);
    }

    /// The user leaves a room for good, with all clients, also where it would be kept.
    pub(crate) fn give_up_room(&mut self, id: &RoomId, words: Option<Name>, out: &mut Effects) {
        self.keep_no_more(id, out);
        let Some(room) = self.rooms.get(id) else { return };
        let clients = room.joined.iter().map(|joined| &joined.resource);
        let waiting = room.waiting.iter().map(|waiting| &waiting.resource);
        let clients: Vec<Name> = clients.chain(waiting).cloned().collect();
        for client in clients {
            self.leave_room(id, &client, (words.clone(), true), out);
        }
    }

    /// A room in which the user is to be could not be entered yet: once more, later.
    pub(super) fn enter_kept(&mut self, portal: crate::records::PortalId, out: &mut Effects) {
        let room = self.rooms.values_mut().find(|room| room.id == portal);
        let Some(room) = room.filter(|room| room.is_wanted() && room.place == Place::Outside) else {
            return;
        };
        let id = room.room.clone();
        if self.shut_out().is_some() {
            return self.turn_out(&id, out);
        }
        let Some(room) = self.rooms.get_mut(&id) else {
            return;
        };
        room.place = Place::Entering;
        let since = room.newest();
        let (room, nick, key) = (room.room.clone(), room.wish.clone(), room.key.clone());
        self.server(&room.server);
        self.submit(
            Command::Join {
                room,
                nick,
                key,
                since,
            },
            out,
        );
    }
}
