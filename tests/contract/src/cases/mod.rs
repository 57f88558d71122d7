//! The cases, by what they are about.

mod addresses;
mod connection;
mod declared;
mod direct;
mod doors;
mod limits;
mod login;
mod moderation;
mod nicks;
mod questions;
mod relations;
mod rooms;
mod talk;
mod topics;

use futures::future::LocalBoxFuture;

use crate::finding::Found;
use crate::scene::Scene;

/// What a case does.
type Run = for<'a, 's> fn(&'a Scene<'s>) -> LocalBoxFuture<'a, Found>;

/// One thing that every bridge must do.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name: what is to be shown.
    pub name: &'static str,
    pub(crate) run: Run,
}

macro_rules! cases {
    ($($module:ident: $($case:ident)*;)*) => {
        /// All cases.
        #[must_use]
        pub fn cases() -> Vec<Case> {
            vec![$($(Case {
                name: concat!(stringify!($module), "::", stringify!($case)),
                run: |scene| Box::pin($module::$case(scene)),
            },)*)*]
        }
    };
}

cases! {
    addresses: what_is_written_is_read_back
        what_is_read_is_written_alike
        what_people_type_is_understood
        a_nickname_is_told_beforehand;
    login: the_form_is_a_form
        a_good_login_gives_an_account
        a_bad_login_says_why;
    connection: to_connect_and_to_disconnect
        a_server_that_does_not_exist
        a_server_that_is_down
        a_lost_connection_comes_back
        what_is_frozen_arrives_in_the_end
        to_close_says_goodbye
        to_close_does_not_wait_for_a_frozen_network
        what_needs_a_connection_says_so
        a_slow_listener_misses_nothing_and_stalls_nobody;
    rooms: who_enters_sees_everybody
        to_enter_again_shows_the_room_as_it_is_now
        people_come_and_go
        to_leave_is_confirmed
        a_room_that_is_left_is_quiet
        users_see_each_other;
    doors: a_password
        a_ban
        an_invitation
        an_invitation_by_a_user
        a_change_by_a_user
        a_full_room
        a_moderated_room;
    talk: what_a_user_says_arrives
        what_others_say_arrives
        two_hundred_messages_keep_their_order
        two_hundred_messages_from_outside_keep_their_order
        actions
        notices
        letters_of_the_world
        several_lines
        users_hear_each_other;
    direct: to_a_person
        from_a_person
        to_nobody
        between_users;
    nicks: ones_own
        of_somebody_else
        one_that_is_taken;
    topics: of_a_user
        of_somebody_else
        one_that_is_cleared
        one_that_is_locked;
    moderation: a_user_is_kicked
        a_user_kicks
        a_user_without_the_right_does_not_kick
        a_user_is_promoted
        a_user_promotes
        a_user_bans_and_lifts_the_ban;
    questions: which_rooms_there_are
        who_somebody_is
        who_is_banned
        without_a_connection;
    declared: direct_messages
        private_messages
        emotes
        styling
        subject
        nick_change
        kick
        ban
        ranks
        create_rooms
        room_passwords
        away
        raw
        watch
        guests
        resubmit;
    relations: replies
        corrections
        reactions
        retractions
        moderation
        typing;
    limits: the_longest_message
        the_longest_nickname;
}
