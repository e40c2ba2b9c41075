"""The list of hostile inputs, row by row in our own words, and where each has its answer.

Most rows are in the names of their tests (``test_row_31_…``); those that are not are in
``ELSEWHERE``, by the row and what of it. A row of what does not exist yet is in ``NOT_YET``.
"""

from __future__ import annotations

from typing import Final

ROWS: Final[dict[int, str]] = {
    # Money and numbers.
    1: "a negative amount",
    2: "zero in all its forms",
    3: "NaN and infinity, as text and as JSON",
    4: "exponents that leave every range",
    5: "signs, spaces, underscores, digits of other alphabets",
    6: "an amount that is no text",
    7: "numbers larger than any column",
    8: "more decimals than there are, off the tick, off the lot",
    9: "price times quantity out of range, or dust",
    11: "thirty withdrawals of all there is at once",
    12: "thirty orders with all there is at once",
    13: "thirty requests with one key at once",
    14: "one key, another body",
    15: "a key that is too long, or another's",
    17: "from an account or to an address of another asset",
    18: "from an account of somebody else",
    19: "amended below what has filled, or below nothing",
    21: "a message of a chain or vendor: again, unsigned, changed, moved, not final",
    22: "approved twice, by who asked, after the end",
    23: "a new address used at once",
    # Signing in.
    25: "tokens of other algorithms and keys",
    26: "tokens out of their time or meant for something else",
    27: "a changed payload",
    28: "one refresh token many times at once",
    29: "a used refresh token that comes back",
    31: "refreshing from another site",
    32: "attributes of the refresh cookie",
    33: "wrong password and unknown address look and last the same",
    34: "signing up and resetting with a known address",
    35: "a hundred wrong passwords from a hundred addresses",
    37: "what is sensitive, long after signing in",
    38: "passwords that are bad, and good ones that look odd",
    39: "signed requests: again, late, changed, beyond the scope, from elsewhere",
    # Rows and fields.
    40: "every address with an id of somebody else's",
    41: "fields that are not for the caller",
    42: "people at the pages of staff",
    44: "pages without end, before the beginning, with a changed cursor",
    45: "documents of another, by an old link, by guessing",
    46: "files that are no picture, are too much, or name a path",
    # What people write, and what we fetch.
    47: "markup, links that run, letters that turn the line around",
    48: "addresses that lead inside",
    49: "the same, as where messages go",
    51: "SQL, templates, NUL and line breaks",
    52: "bodies that take long",
    53: "looking people up one by one",
    55: "a way back that leads away",
    # Sockets.
    56: "a handshake of another site, or of none",
    57: "a token in the address; a ticket used twice",
    58: "a topic of somebody else",
    60: "frames too large, too many, none, junk",
    # Trading.
    61: "trading with oneself",
    62: "out of the band, too large, too many, too fast",
    64: "ordering after the kill switch and in a halt",
    66: "a leader who sells to those who copy him",
    # The platform.
    67: "debug pages, the admin from outside, files of the source",
    68: "headers of every answer",
    69: "reading from another site",
    71: "a copy of the database, a value moved, keys replaced",
    72: "another exchange's key that could withdraw",
}

NOT_YET: Final[dict[int, str]] = {
    66: "Nobody can be copied yet.",
    72: "Keys of other exchanges cannot be stored yet.",
}

ELSEWHERE: Final[dict[str, str]] = {
    "1-5, 7": "api/test_hostile_orders.py::test_a_string_that_is_no_amount",
    "3, 4": "api/test_hostile_orders.py::test_a_number_that_json_does_not_have",
    "6": "api/test_hostile_orders.py::test_an_amount_that_is_no_string",
    "8, 9": "api/test_hostile_orders.py::test_an_amount_that_does_not_fit_the_market",
    "12": "api/test_idempotency.py::test_thirty_at_once_with_the_whole_balance_hold_it_once",
    "13": "api/test_idempotency.py::test_thirty_at_once_with_one_key_have_one_effect",
    "14": "api/test_idempotency.py::test_another_request_under_the_same_key_is_refused",
    "15": "api/test_idempotency.py::test_what_cannot_be_a_key_is_refused",
    "15 of another": "api/test_idempotency.py::test_a_key_belongs_to_one_person",
    "26": "accounts/test_access.py::test_a_signature_alone_is_not_enough",
    "26 refresh": "api/test_tokens.py::test_an_access_token_is_no_refresh_token_nor_the_other_way",
    "31": "api/test_tokens.py::test_a_cookie_alone_does_nothing",
    "32": "api/test_tokens.py::test_a_browser_gets_the_refresh_token_where_no_script_sees_it",
    "33": "api/test_tokens.py::test_wrong_password_and_unknown_address_look_the_same",
    "33 time": "accounts/test_credentials.py::"
    "test_unknown_address_and_wrong_password_cost_one_hash_each",
    "34 reset": "accounts/test_site.py::test_a_password_reset_looks_the_same_for_everybody",
    "40": "api/test_strangers.py::"
    "test_every_address_with_an_id_answers_a_stranger_as_if_it_were_absent",
    "42": "api/test_strangers.py::test_who_is_no_staff_has_no_business_in_the_admin",
    "44 offset": "api/test_wallet.py::test_a_wrong_parameter_is_refused",
    "44 cursor": "api/test_wallet.py::test_a_cursor_works_unchanged_and_in_its_own_list_only",
    "45": "accounts/test_hostile_uploads.py::"
    "test_row_45_a_link_opens_for_its_person_and_for_five_minutes",
    "45 of another": "accounts/test_hostile_uploads.py::"
    "test_row_45_another_persons_document_and_a_guess_are_not_there",
    "46": "accounts/test_hostile_uploads.py::test_row_46_what_is_no_picture_is_refused",
    "46 status": "accounts/test_hostile_uploads.py::"
    "test_row_46_the_site_answers_each_with_its_status_and_keeps_nothing",
    "51": "api/test_hostile_orders.py::test_a_market_that_is_not_there",
    "52 nesting": "api/test_failures.py::test_a_broken_body_is_refused",
    "52 10 MB": "api/test_failures.py::test_a_length_that_is_too_large_is_believed",
    "52 fields": "accounts/test_site.py::test_a_form_of_a_hundred_thousand_fields_is_refused",
    "55": "accounts/test_site.py::test_nobody_is_sent_to_another_site",
    "56": "realtime/test_identity.py::test_a_valid_cookie_does_not_help_another_sites_page",
    "56 no origin": "realtime/test_identity.py::test_a_cookie_without_an_origin_is_refused",
    "56 over the wire": "realtime/test_servers.py::test_a_refused_handshake_is_403",
    "57": "realtime/test_identity.py::test_nothing_is_taken_from_the_url",
    "57 reuse": "realtime/test_identity.py::test_a_ticket_works_once",
    "58": "realtime/test_conversation.py::"
    "test_a_private_topic_is_refused_and_nothing_is_delivered",
    "60 1 MB, junk": "realtime/test_servers.py::test_junk_closes_with_its_code",
    "60 1,000/s": "realtime/test_servers.py::test_a_flood_of_messages_is_closed",
    "60 100 sockets": "realtime/test_identity.py::test_one_socket_too_many_of_a_person_is_closed",
    "60 no subscribe": "realtime/test_conversation.py::"
    "test_a_person_who_asks_for_nothing_is_closed_too",
    "61 linked group": "engine/test_money.py::test_a_new_trade_group_counts_for_live_orders_too",
    "51 one line": "core/test_logs.py::test_text_from_outside_makes_no_line_of_its_own",
    "52 one line": "core/test_logs.py::test_a_hostile_request_is_one_line",
    "62 price": "api/test_hostile_orders.py::test_a_price_outside_the_band",
    "62 value": "api/test_hostile_orders.py::test_what_the_venue_forbids",
    "62 open": "api/test_hostile_orders.py::test_more_open_orders_than_an_account_may_have",
    "67 check": "local/test_settings.py::test_the_deployment_check_is_clean",
    "67 paths": "api/test_failures.py::test_what_is_not_there_is_a_page_that_gives_nothing_away",
    "69": "api/test_failures.py::test_no_other_site_may_read",
    "18 orders": "api/test_strangers.py::test_nobody_orders_from_anothers_account",
    "40 all": "api/test_two_people.py::"
    "test_what_is_adas_is_nothing_to_others_and_stays_as_it_is",
    "46 host": "accounts/test_document_host.py::test_the_site_lets_in_and_the_host_shows",
    "71": "core/test_crypto.py::test_without_the_key_a_copy_of_the_database_is_unreadable",
    "71 moved": "core/test_crypto.py::test_a_value_that_was_moved_does_not_open",
    "71 replaced": "core/test_crypto.py::"
    "test_old_values_are_read_and_new_ones_are_under_the_new_key",
}  # fmt: skip
