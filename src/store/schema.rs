//! The tables, once for both engines, with their columns in the order of the migrations.

diesel::table! {
    clients (id) {
        id -> BigInt,
        name -> Text,
        account_code -> Text,
        disabled -> Bool,
        limits -> Text,
        policy -> Text,
        queues -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_queues -> BigInt,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Text,
        client_id -> BigInt,
        secret_sha256 -> Binary,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
        scope -> SmallInt,
        networks -> Text,
    }
}

diesel::table! {
    admin_keys (id) {
        id -> Text,
        name -> Text,
        secret_sha256 -> Binary,
        networks -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    servers (code) {
        code -> Text,
        host -> Text,
        port -> Integer,
        username -> Text,
        secret -> Binary,
        tls -> Bool,
        dial_template -> Text,
        max_channels -> Integer,
        calls_per_second -> Double,
        recording_dirs -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        trunks -> Text,
        removed_at -> Nullable<BigInt>,
        numbering -> Text,
        max_call_seconds -> Nullable<Integer>,
    }
}

diesel::table! {
    grants (client_id, server_code) {
        client_id -> BigInt,
        server_code -> Text,
        max_live_calls -> Nullable<Integer>,
        calls_per_second -> Nullable<Double>,
        extensions -> Text,
    }
}

diesel::table! {
    leases (server_code) {
        server_code -> Text,
        node -> Text,
        epoch -> BigInt,
        committed -> BigInt,
        expires_at -> BigInt,
        status -> SmallInt,
        asterisk_version -> Nullable<Text>,
        last_error -> Nullable<Text>,
        held -> Nullable<Text>,
    }
}

diesel::table! {
    queues (id) {
        id -> BigInt,
        client_id -> BigInt,
        kind -> SmallInt,
        status -> SmallInt,
        completed_by_client -> Bool,
        retry -> Nullable<Bool>,
        retry_count -> Nullable<Integer>,
        retry_gap -> Integer,
        total_calls -> BigInt,
        queued -> BigInt,
        dialing -> BigInt,
        ringing -> BigInt,
        answered -> BigInt,
        retrying -> BigInt,
        completed -> BigInt,
        failed -> BigInt,
        expired -> BigInt,
        canceled -> BigInt,
        unknown -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        number -> BigInt,
        priority -> Integer,
        weight -> Integer,
        max_live_calls -> Nullable<Integer>,
        calls_per_second -> Nullable<Double>,
        retry_rules -> Text,
        windows -> Nullable<Text>,
        at_least_once -> Bool,
        max_call_seconds -> Nullable<Integer>,
        labels -> Text,
        name -> Nullable<Text>,
        start_at -> Nullable<BigInt>,
        end_at -> Nullable<BigInt>,
        canceled_at -> Nullable<BigInt>,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    queue_lanes (queue_id, server_code) {
        queue_id -> BigInt,
        server_code -> Text,
        waiting -> BigInt,
        live -> BigInt,
        retrying -> BigInt,
    }
}

diesel::table! {
    batches (client_id, batch_id) {
        client_id -> BigInt,
        batch_id -> BigInt,
        queue_id -> BigInt,
        content_sha256 -> Binary,
        inserted_count -> Integer,
        warnings -> Text,
        created_at -> BigInt,
        position -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::store::types::Uuid;

    idempotency (client_id, key) {
        client_id -> BigInt,
        key -> Text,
        content_sha256 -> Binary,
        call_id -> Uuid,
        queue_id -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::store::types::Uuid;

    calls (id) {
        id -> Uuid,
        client_id -> BigInt,
        queue_id -> BigInt,
        position -> BigInt,
        batch_id -> Nullable<BigInt>,
        server_code -> Text,
        status -> SmallInt,
        outcome -> Nullable<SmallInt>,
        attempts -> Integer,
        max_retries -> Integer,
        #[sql_name = "plan"]
        spec -> Text,
        contact_number -> Nullable<BigInt>,
        project -> Nullable<Text>,
        action_id -> Nullable<Text>,
        channel_id -> Nullable<Text>,
        did -> Nullable<Text>,
        created_at -> BigInt,
        due_at -> BigInt,
        deadline -> Nullable<BigInt>,
        started_at -> Nullable<BigInt>,
        answered_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        billable_seconds -> Nullable<Integer>,
        hangup_cause -> Nullable<SmallInt>,
        time_zone -> Text,
        another_day -> Bool,
        tally -> BigInt,
        braked -> Bool,
        deadline_is_default -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::store::types::Uuid;

    attempts (id) {
        id -> Uuid,
        call_id -> Uuid,
        number -> Integer,
        epoch -> BigInt,
        server_code -> Text,
        channel_id -> Text,
        started_at -> BigInt,
        ringing_at -> Nullable<BigInt>,
        answered_at -> Nullable<BigInt>,
        ended_at -> Nullable<BigInt>,
        outcome -> Nullable<SmallInt>,
        hangup_cause -> Nullable<SmallInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::store::types::Uuid;

    call_events (seq) {
        seq -> BigInt,
        at -> BigInt,
        kind -> SmallInt,
        client_id -> BigInt,
        queue_id -> BigInt,
        call_id -> Nullable<Uuid>,
        attempt -> Nullable<Integer>,
        status -> Nullable<SmallInt>,
        outcome -> Nullable<SmallInt>,
        hangup_cause -> Nullable<SmallInt>,
        detail -> Nullable<Text>,
        count -> Nullable<Integer>,
        batch_id -> Nullable<BigInt>,
        server_code -> Nullable<Text>,
        facts -> Nullable<Text>,
    }
}

diesel::table! {
    nodes (name) {
        name -> Text,
        version -> Text,
        started_at -> BigInt,
        seen_at -> BigInt,
        draining -> Bool,
    }
}

diesel::table! {
    settings (name) {
        name -> Text,
        value -> Text,
        changed_at -> BigInt,
    }
}

diesel::table! {
    audit (id) {
        id -> BigInt,
        at -> BigInt,
        actor -> Text,
        action -> Text,
        target -> Text,
        remote_address -> Nullable<Text>,
        request_id -> Text,
        detail -> Text,
        seq -> Nullable<BigInt>,
        before -> Nullable<Text>,
        after -> Nullable<Text>,
        previous_hash -> Nullable<Text>,
        hash -> Nullable<Text>,
    }
}

diesel::table! {
    audit_head (id) {
        id -> SmallInt,
        seq -> BigInt,
        hash -> Text,
        anchored_id -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::store::types::Uuid;

    call_commands (id) {
        id -> BigInt,
        server_code -> Text,
        call_id -> Uuid,
        kind -> SmallInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    do_not_call (client_id, number) {
        client_id -> BigInt,
        number -> Text,
        reason -> Nullable<Text>,
        added_at -> BigInt,
    }
}

diesel::table! {
    destination_days (client_id, number, day) {
        client_id -> BigInt,
        number -> Text,
        day -> Integer,
        calls -> Integer,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::store::types::Uuid;

    recording_files (server_code, path) {
        server_code -> Text,
        path -> Text,
        call_id -> Uuid,
    }
}

diesel::table! {
    client_days (client_id, server_code, day) {
        client_id -> BigInt,
        server_code -> Text,
        day -> Integer,
        calls -> BigInt,
        seconds -> BigInt,
    }
}

diesel::table! {
    client_brakes (client_id) {
        client_id -> BigInt,
        learns_from -> BigInt,
        braked_at -> Nullable<BigInt>,
        announced -> Bool,
        day -> Integer,
        calls -> BigInt,
        day_limit -> Integer,
        version -> BigInt,
    }
}

diesel::table! {
    client_destinations (client_id, destination) {
        client_id -> BigInt,
        destination -> Text,
        first_at -> BigInt,
        released -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::store::types::Uuid;

    call_terms (kind, value, client_id, call_id) {
        kind -> SmallInt,
        value -> Text,
        client_id -> BigInt,
        call_id -> Uuid,
    }
}

diesel::table! {
    queue_labels (label, client_id, queue_id) {
        label -> Text,
        client_id -> BigInt,
        queue_id -> BigInt,
    }
}

diesel::table! {
    item_streams (client_id, stream_id) {
        client_id -> BigInt,
        stream_id -> Text,
        queue_id -> BigInt,
        stored -> BigInt,
        connection -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    webhooks (id) {
        id -> BigInt,
        client_id -> BigInt,
        url -> Text,
        secret -> Binary,
        events -> Text,
        created_at -> BigInt,
        delivered_seq -> BigInt,
        delivered_at -> Nullable<BigInt>,
        failures -> Integer,
        next_try_at -> BigInt,
        last_error -> Nullable<Text>,
        disabled -> Bool,
        lease_node -> Nullable<Text>,
        lease_epoch -> BigInt,
        lease_until -> BigInt,
        old_secret -> Nullable<Binary>,
        old_secret_until -> BigInt,
        failing_seq -> Nullable<BigInt>,
        failing_since -> Nullable<BigInt>,
        replay_requests -> BigInt,
    }
}

diesel::table! {
    dead_letters (webhook_id, seq) {
        webhook_id -> BigInt,
        seq -> BigInt,
        first_failed_at -> BigInt,
        died_at -> BigInt,
        last_error -> Text,
        replaying -> Bool,
    }
}

diesel::table! {
    statistics_cursor (id) {
        id -> Integer,
        seq -> BigInt,
        node -> Text,
        seen_at -> BigInt,
    }
}

diesel::joinable!(calls -> queues (queue_id));
diesel::joinable!(queue_lanes -> queues (queue_id));
diesel::joinable!(attempts -> calls (call_id));
diesel::allow_tables_to_appear_in_same_query!(
    admin_keys,
    api_keys,
    attempts,
    audit,
    audit_head,
    batches,
    call_commands,
    call_events,
    call_terms,
    calls,
    client_brakes,
    client_days,
    client_destinations,
    clients,
    dead_letters,
    destination_days,
    do_not_call,
    grants,
    idempotency,
    item_streams,
    leases,
    nodes,
    queue_labels,
    queue_lanes,
    queues,
    recording_files,
    servers,
    settings,
    statistics_cursor,
    webhooks,
);
