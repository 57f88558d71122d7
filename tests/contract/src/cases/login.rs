//! Registering.

use std::collections::BTreeSet;

use viaduct_bridge::{FieldKind, Step};

use crate::finding::{Found, broken, ensure, skipped};
use crate::scene::Scene;
use crate::subject::Logins;

fn logins(scene: &Scene<'_>) -> Found<Logins> {
    scene
        .subject
        .logins()
        .map_or_else(|| skipped("the subject knows no passwords"), Ok)
}

/// The registration form has fields with names of their own and no secret in it.
pub(super) async fn the_form_is_a_form(scene: &Scene<'_>) -> Found {
    let form = scene.bridge().form(None);
    let names: BTreeSet<_> = form.fields.iter().map(|field| field.name).collect();
    ensure!(
        !names.is_empty() && names.len() == form.fields.len(),
        "the fields are {:?}",
        form.fields
    );
    ensure!(!form.instructions.is_empty(), "the form has no instructions");
    for field in &form.fields {
        let shown = field.kind == FieldKind::Secret && !field.value.is_empty();
        ensure!(
            !shown && !field.label.is_empty(),
            "{field:?} shows a secret, or has no label"
        );
    }
    Ok(())
}

/// The right answers give an account, with its secrets where secrets belong.
pub(super) async fn a_good_login_gives_an_account(scene: &Scene<'_>) -> Found {
    let answers = logins(scene)?.good;
    let step = scene
        .bridge()
        .log_in("alice@example.org", None)
        .next(answers.clone())
        .await;
    let Step::Done(account) = step else {
        return broken(format!("the right answers give {step:?}"));
    };
    let form = scene.bridge().form(Some(&account));
    for field in form.fields.iter().filter(|field| field.kind == FieldKind::Secret) {
        ensure!(field.value.is_empty(), "the form shows a secret: {field:?}");
        let Some(secret) = answers.get(field.name).filter(|secret| !secret.is_empty()) else {
            continue;
        };
        let open = account.settings.values().any(|value| value == secret);
        ensure!(
            !open && account.name != *secret,
            "the field {} is kept in the open",
            field.name
        );
        let kept = account.secrets.values().any(|kept| kept.reveal() == secret);
        ensure!(kept, "the field {} is not kept", field.name);
    }
    let home = scene.bridge().home_server(Some(&account));
    ensure!(home.is_some(), "an account without a server: {account:?}");
    Ok(())
}

/// A wrong password is found out before the account is there.
pub(super) async fn a_bad_login_says_why(scene: &Scene<'_>) -> Found {
    let answers = logins(scene)?.bad;
    let step = scene
        .bridge()
        .log_in("alice@example.org", None)
        .next(answers)
        .await;
    let Step::Failed { failure, .. } = &step else {
        return broken(format!("a wrong password gives {step:?}"));
    };
    ensure!(!failure.to_string().is_empty(), "there is no reason in {step:?}");
    Ok(())
}
