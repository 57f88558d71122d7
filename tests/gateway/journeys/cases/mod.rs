//! All cases, a module per feature.

mod admin;
mod archive;
mod archive_ids;
mod biboumi;
mod bots;
mod channel_list;
mod chats;
mod chats_crash;
mod chats_limits;
mod commands;
mod commands_steps;
mod commands_support;
mod contacts;
mod discovery;
mod discovery_typed;
mod faults;
mod faults_disk;
mod faults_gateway;
mod faults_overload;
mod faults_store;
mod faults_xmpp;
mod history;
mod hostile_dice;
mod hostile_irc;
mod hostile_stanzas;
mod hostile_words;
mod hostile_xml;
mod invitations;
mod irc_connection_certificate;
mod irc_connection_fence;
mod irc_connection_identity;
mod irc_connection_life;
mod irc_connection_login;
mod irc_connection_script;
mod irc_connection_tls;
mod irc_text;
mod join;
mod join_again;
mod join_refused;
mod leave;
mod link;
mod link_cutter;
mod link_fake;
mod login;
mod login_contacts;
mod login_end;
mod login_services;
mod missed;
mod moderation;
mod moderation_bans;
mod moderation_ranks;
mod multiline;
mod nick;
mod people;
mod ping;
mod presence;
mod private;
mod read_markers;
mod registration;
mod registration_checked;
mod registration_edit;
mod registration_policy;
mod registration_record;
mod registration_remove;
mod registration_support;
mod relations;
mod reload;
mod restart;
mod room_config;
mod room_disco;
mod room_register;
mod services;
mod settings;
mod signup;
mod spelling;
mod stage;
mod subject;
mod subscription;
mod talk;
mod threats;
mod threats_loops;
mod worlds;

use viaduct_gateway_tests::Case;

/// The cases of every module.
pub(crate) const ALL: &[&[Case]] = &[
    admin::CASES,
    chats::CASES,
    chats_crash::CASES,
    chats_limits::CASES,
    commands::CASES,
    commands_steps::CASES,
    contacts::CASES,
    discovery::CASES,
    discovery_typed::CASES,
    login::CASES,
    login_contacts::CASES,
    login_end::CASES,
    registration::CASES,
    registration_checked::CASES,
    registration_edit::CASES,
    registration_policy::CASES,
    registration_remove::CASES,
    subscription::CASES,
    join::CASES,
    talk::CASES,
    leave::CASES,
    archive::CASES,
    archive_ids::CASES,
    biboumi::CASES,
    bots::CASES,
    channel_list::CASES,
    history::CASES,
    join_again::CASES,
    join_refused::CASES,
    moderation::CASES,
    moderation_bans::CASES,
    moderation_ranks::CASES,
    nick::CASES,
    people::CASES,
    ping::CASES,
    presence::CASES,
    private::CASES,
    room_config::CASES,
    missed::CASES,
    multiline::CASES,
    read_markers::CASES,
    relations::CASES,
    room_disco::CASES,
    services::CASES,
    settings::CASES,
    signup::CASES,
    spelling::CASES,
    room_register::CASES,
    subject::CASES,
    worlds::CASES,
    faults_disk::CASES,
    faults_gateway::CASES,
    faults_overload::CASES,
    faults_store::CASES,
    faults_xmpp::CASES,
    hostile_irc::CASES,
    hostile_xml::CASES,
    irc_connection_certificate::CASES,
    invitations::CASES,
    irc_connection_fence::CASES,
    irc_connection_identity::CASES,
    irc_connection_life::CASES,
    irc_connection_login::CASES,
    irc_connection_tls::CASES,
    irc_text::CASES,
    link::CASES,
    reload::CASES,
    restart::CASES,
    threats::CASES,
    threats_loops::CASES,
];
