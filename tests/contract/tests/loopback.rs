//! The contract suite on the loopback network.

use viaduct_bridge::Level;
use viaduct_bridge::loopback::{Echo, Settings};
use viaduct_contract::loopback::Loopback;
use viaduct_contract::{chosen, run};

async fn keeps_the_contract(settings: Settings, skipped: &[&str]) {
    let report = run(&chosen(), 1, async || Loopback::new(settings.clone())).await;
    report.expect(skipped);
}

fn with_echo(echo: Echo) -> Settings {
    Settings {
        echo,
        ..Settings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn with_outcomes_alone() {
    keeps_the_contract(with_echo(Echo::Never), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn with_echoes_alone() {
    keeps_the_contract(with_echo(Echo::Alone), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn with_echoes_before_outcomes() {
    keeps_the_contract(with_echo(Echo::BeforeOutcome), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn with_echoes_after_outcomes() {
    keeps_the_contract(with_echo(Echo::AfterOutcome), &[]).await;
}

#[tokio::test(start_paused = true)]
async fn with_what_was_missed_replayed() {
    let settings = Settings {
        replay: true,
        ..Settings::default()
    };
    keeps_the_contract(settings, &[]).await;
}

/// A network that can do next to nothing, and says so.
#[tokio::test(start_paused = true)]
async fn a_modest_network() {
    let mut settings = Settings::default();
    let capabilities = &mut settings.capabilities;
    for level in [
        &mut capabilities.direct_messages,
        &mut capabilities.private_messages,
        &mut capabilities.emotes,
        &mut capabilities.styling,
        &mut capabilities.subject,
        &mut capabilities.nick_change,
        &mut capabilities.kick,
        &mut capabilities.ban,
        &mut capabilities.ranks,
        &mut capabilities.create_rooms,
        &mut capabilities.room_passwords,
        &mut capabilities.away,
        &mut capabilities.relations.corrections,
        &mut capabilities.relations.replies,
        &mut capabilities.relations.reactions,
        &mut capabilities.relations.retractions,
        &mut capabilities.relations.moderation,
        &mut capabilities.relations.typing,
    ] {
        *level = Level::Rejected;
    }
    capabilities.resubmit = false;
    capabilities.guests = false;
    capabilities.max_message_bytes = 64;
    capabilities.max_nick_bytes = 9;
    keeps_the_contract(
        settings,
        &[
            "doors::a_password",
            "talk::actions",
            "direct::to_a_person",
            "direct::from_a_person",
            "direct::to_nobody",
            "direct::between_users",
            "nicks::ones_own",
            "nicks::one_that_is_taken",
            "topics::of_a_user",
            "topics::of_somebody_else",
            "topics::one_that_is_cleared",
            "topics::one_that_is_locked",
            "moderation::a_user_kicks",
            "moderation::a_user_without_the_right_does_not_kick",
            "moderation::a_user_promotes",
            "moderation::a_user_bans_and_lifts_the_ban",
            "limits::the_longest_nickname",
        ],
    )
    .await;
}

/// A network that carries actions and styles as text, and knows people only in rooms.
#[tokio::test(start_paused = true)]
async fn a_plain_network() {
    let mut settings = Settings::default();
    settings.capabilities.emotes = Level::Fallback;
    settings.capabilities.styling = Level::Fallback;
    settings.capabilities.direct_messages = Level::Rejected;
    settings.capabilities.private_messages = Level::Partial;
    let skipped = [
        "talk::actions",
        "direct::to_a_person",
        "direct::from_a_person",
        "direct::to_nobody",
    ];
    keeps_the_contract(settings, &skipped).await;
}
