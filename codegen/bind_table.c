/* The vocabulary. One row is one key; the order is the order of the documentation. */
#include "codegen/bind_internal.h"

#include "base/check.h"
#include "base/text.h"

#include <string.h>

#define REQ MESH_BIND_REQUIRED
#define KEY(path_, kind_, ...)                                                                                                     \
    {                                                                                                                              \
        .path = (path_), .kind = MESH_BIND_##kind_, __VA_ARGS__                                                                    \
    }

#define COMPATIBILITY                                                                                                              \
    "NONE BACKWARD BACKWARD_TRANSITIVE FORWARD FORWARD_TRANSITIVE FULL FULL_TRANSITIVE" /* enum mesh_compat_mode */

static const struct mesh_bind_key product_keys[] = {
    KEY("apiVersion", ENUM, .flags = REQ, .values = "mesh/v1", .help = "Version of this vocabulary.", .example = "mesh/v1"),
    KEY("kind", ENUM, .flags = REQ, .values = "DataProduct", .help = "What this file declares.", .example = "DataProduct"),
    KEY("name", NAME, .flags = REQ, .help = "Name of the product, unique in the mesh.", .example = "sales_fraud"),
    KEY("domain", NAME, .flags = REQ, .help = "The domain that owns it: the name of the folder.", .example = "sales_fraud"),
    KEY("version", VERSION, .flags = REQ, .help = "Version of the product, MAJOR.MINOR.PATCH.", .example = "1.0.0"),
    KEY("status", ENUM, .values = "proposed draft active deprecated retired", .fallback = "active",
        .help = "Where the product is in its life.", .example = "active"),
    KEY("type", ENUM, .values = "source-aligned aggregate consumer-aligned", .fallback = "aggregate",
        .help = "Whether it repeats a source, joins sources, or serves one consumer.", .example = "aggregate"),
    KEY("description", MAP, .flags = REQ, .help = "What people read before they use it.", .example = "{ purpose: ... }"),
    KEY("description.purpose", TEXT, .flags = REQ, .help = "What it is for. Personal data may be used for this alone.",
        .example = "Sales figures and fraud alerts in real time."),
    KEY("description.limitations", TEXT, .help = "What it must not be used for.", .example = "Not for credit decisions."),
    KEY("description.usage", TEXT, .help = "How it is used.", .example = "Read the figures over HTTP."),
    KEY("team", MAP, .flags = REQ, .help = "Who answers for it.", .example = "{ name: ..., members: [...] }"),
    KEY("team.name", TEXT, .flags = REQ, .help = "Name of the team.", .example = "payments"),
    KEY("team.members", LIST, .flags = REQ, .help = "The people; at least one has the role owner.",
        .example = "[{ username: ana@omnishop.example, role: owner }]"),
    KEY("team.members[]", MAP, .help = "One person."),
    KEY("team.members[].username", TEXT, .flags = REQ, .help = "How to reach the person.", .example = "ana@omnishop.example"),
    KEY("team.members[].role", ENUM, .flags = REQ, .values = "owner steward engineer analyst support",
        .help = "What the person does for the product.", .example = "owner"),
    KEY("support", LIST, .help = "Where consumers ask."),
    KEY("support[]", MAP, .help = "One channel."),
    KEY("support[].channel", TEXT, .flags = REQ, .help = "Name or address of the channel.", .example = "\"#payments\""),
    KEY("support[].tool", ENUM, .values = "email slack teams discord ticket other", .fallback = "other",
        .help = "What kind of channel.", .example = "slack"),
    KEY("support[].url", TEXT, .help = "Link to the channel.", .example = "https://chat.example/payments"),
    KEY("slaProperties", MAP, .flags = REQ, .help = "What consumers may count on.",
        .example = "{ latency: 5s, availability: 99.9%, retention: 730d }"),
    KEY("slaProperties.latency", DURATION, .flags = REQ, .min = 1, .help = "From an event to its effect in the product.",
        .example = "5s"),
    KEY("slaProperties.availability", PERCENT, .flags = REQ, .help = "Share of the time that the product answers.",
        .example = "99.9%"),
    KEY("slaProperties.retention", DURATION, .flags = REQ, .min = 1,
        .help = "How long the product keeps what it knows; no `keep` is longer.", .example = "730d"),
    KEY("protect", MAP, .help = "What every output port does with labelled fields, unless the port says otherwise.",
        .example = "{ personal: pseudonym, special: drop }"),
    KEY("protect.personal", ENUM, .values = "pseudonym drop error", .fallback = "error",
        .help = "Personal fields: replaced by a pseudonym, left out, or refused.", .example = "pseudonym"),
    KEY("protect.special", ENUM, .values = "pseudonym drop error", .fallback = "error",
        .help = "Special categories (health, belief, ...): likewise.", .example = "drop"),

    KEY("consent", MAP, .help = "Where the decisions of people come from, for releases with `basis: consent`.",
        .example = "{ from: consents, subject: customer_id, purpose: purpose, granted: granted }"),
    KEY("consent.from", NAME, .flags = REQ, .help = "The input port that brings them, one record each.", .example = "consents"),
    KEY("consent.subject", NAME, .flags = REQ, .help = "Its field that says who decided.", .example = "customer_id"),
    KEY("consent.purpose", NAME, .flags = REQ, .help = "Its field that says about what.", .example = "purpose"),
    KEY("consent.granted", NAME, .flags = REQ, .help = "Its boolean: given, or withdrawn.", .example = "granted"),

    KEY("inputPorts", NAMES, .flags = REQ, .help = "What comes in. Nothing else does."),
    KEY("inputPorts.*", MAP, .help = "One topic, or the output port of another product."),
    KEY("inputPorts.*.topic", TOPIC, .help = "The Kafka topic. Not with `product`.", .example = "omnishop.sales.card-payments"),
    KEY("inputPorts.*.contract", CONTRACT, .help = "The contract of its values; the version is always pinned. Not with `product`.",
        .example = "sales_fraud/payment@1"),
    KEY("inputPorts.*.key", NAME, .help = "The field whose text is the message key. Not with `product`.", .example = "card_id"),
    KEY("inputPorts.*.compatibility", ENUM, .values = COMPATIBILITY,
        .help = "What new versions of the contract must be; otherwise as mesh.yaml says. Not with `product`.", .example = "NONE"),
    KEY("inputPorts.*.product", PRODUCT, .help = "An output port of another product, which gives topic, contract, key and labels.",
        .example = "customer/profiles"),
    KEY("inputPorts.*.eventTime", NAME, .flags = REQ, .help = "The timestamp field that says when it happened.",
        .example = "paid_at"),
    KEY("inputPorts.*.partitions", INTEGER, .min = 1, .max = 1000, .help = "Partitions of the topic; otherwise the mesh's default.",
        .example = "4"),
    KEY("inputPorts.*.delay", DURATION, .fallback = "0s",
        .help = "How much later than its neighbours a record may come and still be on time.", .example = "2s"),
    KEY("inputPorts.*.idle", DURATION, .fallback = "2s",
        .help =
            "A partition that is read to its end and silent for this long no longer holds back the others; 0s = it always does. Behind a "
            "new row of a table, records of the streams that join it wait this long.",
        .example = "30s"),
    KEY("inputPorts.*.ahead", DURATION, .fallback = "1h",
        .help = "An event time further than this past the record's Kafka time is refused.", .example = "1h"),
    KEY("inputPorts.*.maxErrorRate", PERCENT, .fallback = "20%",
        .help =
            "More dead letters than this among 1,000 offsets of a partition stop it, until an operator accepts them; 100% = never.",
        .example = "5%"),
    KEY("inputPorts.*.table", MAP, .help = "Keep the topic as a table that streams join.", .example = "{ by: currency }"),
    KEY("inputPorts.*.table.by", NAME, .flags = REQ, .help = "The field that a join looks up.", .example = "currency"),
    KEY("inputPorts.*.table.versioned", NAME,
        .help = "The timestamp field from which a row holds: all versions are kept. Otherwise the newest row counts.",
        .example = "valid_from"),
    KEY("inputPorts.*.table.copy", ENUM, .values = "all partition", .fallback = "all",
        .help = "Every task keeps the whole table, or its own partition of it.", .example = "all"),
    KEY("inputPorts.*.table.wait", DURATION, .fallback = "10s",
        .help = "How long records wait for the first row of a table that is still empty, if longer than `idle`.", .example = "1m"),

    KEY("streams", NAMES, .help = "Records on their way: each an ordered list of steps, or a pattern."),
    KEY("streams.*", MAP, .help = "One stream."),
    KEY("streams.*.from", FROM, .flags = REQ,
        .help = "What it reads: an input port, another stream, a list of these with equal "
                "members, or the changes of a view.",
        .example = "[card_payments, shop_payments]"),
    KEY("streams.*.steps", LIST, .flags = MESH_BIND_EMPTY_OK, .help = "What happens to each record, in order."),
    KEY("streams.*.steps[]", CHOICE, .help = "One step."),
    KEY("streams.*.steps[].where", EXPRESSION, .help = "Records for which it is false go no further.", .example = "amount > 0.0"),
    KEY("streams.*.steps[].dedupe", MAP, .help = "A record whose key was seen goes no further.",
        .example = "{ by: payment_id, within: 24h }"),
    KEY("streams.*.steps[].dedupe.by", ONE_OR_LIST, .flags = REQ, .help = "The fields that make two records the same.",
        .example = "payment_id"),
    KEY("streams.*.steps[].dedupe.by[]", NAME, .help = "A field of the record; what is not one is computed with `set` before.",
        .example = "payment_id"),
    KEY("streams.*.steps[].dedupe.within", DURATION, .flags = REQ, .min = 1, .help = "How far apart their event times may be.",
        .example = "24h"),
    KEY("streams.*.steps[].join", MAP,
        .help =
            "Look a row up in a table, or find records of another stream; later steps read it under the name of the table or stream.",
        .example = "{ table: rates, key: currency }"),
    KEY("streams.*.steps[].join.table", NAME, .help = "An input port with `table`.", .example = "rates"),
    KEY("streams.*.steps[].join.stream", NAME, .help = "Another stream, instead of a table.", .example = "clicks"),
    KEY("streams.*.steps[].join.key", EXPRESSION, .flags = REQ, .help = "What is looked up; with `stream`: a field of the record.",
        .example = "currency"),
    KEY("streams.*.steps[].join.by", NAME,
        .help = "The field of the other stream that must be equal; otherwise: the one of `key`'s name.", .example = "customer_id"),
    KEY("streams.*.steps[].join.between", LIST,
        .help = "From when to when the other record may be, counted from this one's event time.", .example = "[-7d, 0s]"),
    KEY("streams.*.steps[].join.between[]", OFFSET, .help = "One end of the interval, which belongs to it.", .example = "-7d"),
    KEY("streams.*.steps[].join.pick", ENUM, .values = "last first all", .fallback = "last",
        .help = "Of several: the newest, the oldest, or each of them with a copy of the record.", .example = "last"),
    KEY("streams.*.steps[].join.asOf", EXPRESSION, .help = "Time of the version that counts; for versioned tables.",
        .example = "paid_at"),
    KEY("streams.*.steps[].join.missing", ENUM, .values = "dlq skip keep", .fallback = "dlq",
        .help = "Without a row: the record goes to the dead letters, is left out, or goes on without.", .example = "dlq"),
    KEY("streams.*.steps[].set", NAMES, .help = "Add members to the record, or replace them."),
    KEY("streams.*.steps[].set.*", EXPRESSION, .help = "The member's value.", .example = "decimal(amount * rates.eur, 14, 2)"),
    KEY("streams.*.steps[].select", NAMES, .help = "The record becomes these members and no others."),
    KEY("streams.*.steps[].select.*", EXPRESSION, .help = "The member's value.", .example = "new.on_hand"),
    KEY("streams.*.steps[].flatten", MAP, .help = "One record for each item of an array, which later steps read under a name.",
        .example = "{ array: lines, as: line }"),
    KEY("streams.*.steps[].flatten.array", NAME, .flags = REQ, .help = "The field of the record that holds the items.",
        .example = "lines"),
    KEY("streams.*.steps[].flatten.as", NAME, .flags = REQ,
        .help = "The name of the item: `line.price` is a field of it; an item that is no record is read as `line`.",
        .example = "line"),
    KEY("streams.*.steps[].flatten.empty", ENUM, .values = "skip keep", .fallback = "skip",
        .help = "A record without items is left out, or goes on once, with an item whose fields are null.", .example = "keep"),
    KEY("streams.*.steps[].fold", MAP, .help = "Add what is known of a key's recent records, this one included, to each record."),
    KEY("streams.*.steps[].fold.by", ONE_OR_LIST, .flags = REQ, .help = "The fields of the key.", .example = "card_id"),
    KEY("streams.*.steps[].fold.by[]", NAME, .help = "A field of the record; what is not one is computed with `set` before.",
        .example = "card_id"),
    KEY("streams.*.steps[].fold.windows", NAMES, .flags = REQ,
        .help = "The windows; a value `n` over window `d7` is the member `n_d7`.", .example = "{ d7: { sliding: 7d } }"),
    KEY("streams.*.steps[].fold.windows.*", MAP, .help = "One window."),
    KEY("streams.*.steps[].fold.windows.*.sliding", DURATION, .flags = REQ, .min = 1, .help = "Its length, back from the record.",
        .example = "7d"),
    KEY("streams.*.steps[].fold.windows.*.delay", DURATION, .fallback = "0s", .help = "It ends this long before the record.",
        .example = "7d"),
    KEY("streams.*.steps[].fold.let", NAMES, .flags = REQ, .help = "What is computed over each window."),
    KEY("streams.*.steps[].fold.let.*", EXPRESSION, .help = "Aggregates of the window's records.", .example = "avg(amount_eur)"),
    KEY("streams.*.steps[].rises", MAP, .help = "Pass the record at which a condition becomes true; for changes of a view."),
    KEY("streams.*.steps[].rises.when", EXPRESSION, .flags = REQ, .help = "The condition.",
        .example = "new.on_hand <= products.reorder_point"),
    KEY("streams.*.steps[].rises.rearm", EXPRESSION,
        .help = "What must hold before it can fire again; otherwise: that the condition is false.",
        .example = "new.on_hand > products.reorder_point + 5"),
    KEY("streams.*.pattern", MAP, .help = "Records of one key in a row, within a time."),
    KEY("streams.*.pattern.by", ONE_OR_LIST, .flags = REQ, .help = "The fields of the key.", .example = "card_id"),
    KEY("streams.*.pattern.by[]", NAME, .help = "A field of the record; what is not one is computed with `set` before.",
        .example = "card_id"),
    KEY("streams.*.pattern.within", DURATION, .flags = REQ, .min = 1, .help = "From the first record to the last.",
        .example = "10m"),
    KEY("streams.*.pattern.overlap", ENUM, .values = "skip all latest", .fallback = "skip",
        .help = "Of several runs of a key: when one completes, all end; each goes on by itself; or a new one replaces the last.",
        .example = "all"),
    KEY("streams.*.pattern.steps", LIST, .flags = REQ, .help = "What must come, in order; other records may lie between."),
    KEY("streams.*.pattern.steps[]", CHOICE, .help = "One step: its name, and `where`."),
    KEY("streams.*.pattern.steps[].*", MAP, .flags = MESH_BIND_EMPTY_OK,
        .help = "The name under which `emit` reads its (last) record.", .example = "{ times: 3 }"),
    KEY("streams.*.pattern.steps[].*.times", INTEGER, .min = 1, .max = 1000, .fallback = "1", .help = "How many records.",
        .example = "3"),
    KEY("streams.*.pattern.steps[].*.not", BOOL, .fallback = "false",
        .help = "Such a record must not come between the step before and the next one: it ends the run.", .example = "true"),
    KEY("streams.*.pattern.steps[].*.absent", DURATION, .min = 1,
        .help = "For the last step: the pattern is complete when no such record has come for so long behind the step before.",
        .example = "2h"),
    KEY("streams.*.pattern.steps[].where", EXPRESSION, .flags = MESH_BIND_BESIDE, .help = "Which records count.",
        .example = "amount_eur < 2.0"),
    KEY("streams.*.emit", NAMES, .help = "The record that a complete pattern gives."),
    KEY("streams.*.emit.*", EXPRESSION, .help = "The member's value.", .example = "large.card_id"),

    KEY("views", NAMES, .help = "What is kept and served: keyed folds."),
    KEY("views.*", MAP, .help = "One view."),
    KEY("views.*.description", TEXT, .help = "What a row says, for its readers.", .example = "Sales of one country and minute."),
    KEY("views.*.from", FROM, .flags = REQ, .help = "What it folds: streams and input ports. With several, fields are qualified.",
        .example = "clean"),
    KEY("views.*.by", ONE_OR_LIST, .flags = REQ, .help = "The fields of the key, which every source has.", .example = "country"),
    KEY("views.*.by[]", NAME, .help = "A field of the sources; what is not one is computed with `set` before.",
        .example = "country"),
    KEY("views.*.window", MAP, .help = "A row per window of time; without it, one row per key.",
        .example = "{ tumbling: 1m, grace: 10m }"),
    KEY("views.*.window.tumbling", DURATION, .min = 1, .help = "Windows of this length, side by side.", .example = "1m"),
    KEY("views.*.window.zone", TEXT,
        .help = "With `tumbling: 1d`: days of this time zone, of 23 to 25 hours where its clocks change; otherwise of UTC.",
        .example = "Europe/Berlin"),
    KEY("views.*.window.hopping", DURATION, .min = 1, .help = "Overlapping windows of this length; needs `every`.",
        .example = "10m"),
    KEY("views.*.window.every", DURATION, .min = 1, .help = "A hopping window begins this often; divides its length.",
        .example = "1m"),
    KEY("views.*.window.session", DURATION, .min = 1,
        .help = "Windows that last as long as a key's records follow each other within less than this.", .example = "30m"),
    KEY("views.*.window.grace", DURATION, .fallback = "0s", .help = "How long after its end a window takes late records.",
        .example = "10m"),
    KEY("views.*.keep", DURATION, .min = 1, .help = "How long a row is kept after its last record, or its window's end.",
        .example = "30d"),
    KEY("views.*.let", NAMES, .help = "The columns: aggregates, and what is computed from columns above."),
    KEY("views.*.let.*", EXPRESSION, .help = "The column's value.", .example = "sum(amount_eur)"),
    KEY("views.*.state", NAMES, .help = "Instead of `let`: variables that `update` assigns, in event-time order."),
    KEY("views.*.state.*", MAP, .help = "One variable, and a column of the row."),
    KEY("views.*.state.*.type", TYPE, .flags = REQ,
        .help = "bool, int, long, double, decimal(p,s), string, timestamp, date, duration; "
                "with ? it may be null.",
        .example = "long"),
    KEY("views.*.state.*.init", EXPRESSION, .help = "Its first value; otherwise null, which the type must allow.", .example = "0"),
    KEY("views.*.update", NAMES, .help = "Per source: what a record of it does to the variables."),
    KEY("views.*.update.*", NAMES, .help = "The assignments for one source."),
    KEY("views.*.update.*.*", EXPRESSION, .help = "The variable's new value; `self` is the row before.",
        .example = "self.on_hand + movements.qty"),
    KEY("views.*.remove", EXPRESSION, .help = "A record for which it is true removes the row.", .example = "records.deleted"),
    KEY("views.*.min_people", INTEGER, .min = 2, .max = 1000,
        .help =
            "A row is hidden at every output port until so many different people are in it; figures over personal fields may then leave.",
        .example = "20"),
    KEY("views.*.people", NAME,
        .help = "With `min_people`: the field of every source that says who it is; otherwise its only one about a person.",
        .example = "customer_id"),

    KEY("outputPorts", NAMES, .flags = REQ, .help = "What leaves. Nothing else does."),
    KEY("outputPorts.*", MAP, .help = "One port."),
    KEY("outputPorts.*.kind", ENUM, .flags = REQ, .values = "kafka http mongo sse", .help = "How it is served.",
        .example = "kafka"),
    KEY("outputPorts.*.description", TEXT, .help = "What it is for.", .example = "Every sale, once."),
    KEY("outputPorts.*.from", NAME, .flags = REQ, .help = "A view; for kafka and sse also a stream.", .example = "clean"),
    KEY("outputPorts.*.topic", TOPIC, .flags = REQ, .only = "kafka", .help = "The topic that it writes, and nobody else.",
        .example = "omnishop.sales.sales"),
    KEY("outputPorts.*.contract", CONTRACT, .flags = REQ, .only = "kafka", .help = "The contract of its values.",
        .example = "sales_fraud/sale@1"),
    KEY("outputPorts.*.compatibility", ENUM, .only = "kafka", .values = COMPATIBILITY,
        .help = "What new versions of the contract must be; otherwise as mesh.yaml says.", .example = "FULL_TRANSITIVE"),
    KEY("outputPorts.*.key", NAME, .flags = REQ, .only = "kafka", .help = "The member whose text is the message key.",
        .example = "card_id"),
    KEY("outputPorts.*.partitions", INTEGER, .only = "kafka", .min = 1, .max = 1000,
        .help = "Partitions of the topic; otherwise the mesh's default.", .example = "4"),
    KEY("outputPorts.*.cleanup", ENUM, .only = "kafka", .values = "delete compact", .fallback = "delete",
        .help = "Old records are deleted by age, or all but the newest of a key.", .example = "compact"),
    KEY("outputPorts.*.emit", ENUM, .only = "kafka sse", .values = "event change close",
        .help = "Each record of a stream; each change of a row; a row once its window has closed.", .example = "change"),
    KEY("outputPorts.*.delivery", ENUM, .only = "kafka", .values = "at_least_once exactly_once", .fallback = "at_least_once",
        .help = "What readers outside the mesh may see. Products of the mesh see everything once in both.",
        .example = "exactly_once"),
    KEY("outputPorts.*.path", TEXT, .flags = REQ, .only = "http sse", .help = "Where the rows or events are read.",
        .example = "/sales/by-country"),
    KEY("outputPorts.*.replay", INTEGER, .only = "sse", .min = 100, .max = 100000, .fallback = "1000",
        .help = "How many events each partition keeps for readers that come back; at most 4 MB of them.", .example = "5000"),
    KEY("outputPorts.*.roles", ONE_OR_LIST, .only = "http sse",
        .help = "Who may ask, where callers are known (docs/OPERATIONS.md): one of these roles; otherwise everybody who is known.",
        .example = "[fraud-desk]"),
    KEY("outputPorts.*.roles[]", TEXT, .help = "A role.", .example = "fraud-desk"),
    KEY("outputPorts.*.collection", TEXT, .flags = REQ, .only = "mongo", .help = "The collection that holds the rows.",
        .example = "sales_by_country"),
    KEY("outputPorts.*.release", ONE_OR_LIST, .help = "Personal fields that leave this port as they are."),
    KEY("outputPorts.*.release[]", MAP, .help = "Some fields, and why."),
    KEY("outputPorts.*.release[].fields", LIST, .flags = REQ, .help = "The members.", .example = "[email]"),
    KEY("outputPorts.*.release[].fields[]", NAME, .help = "A member."),
    KEY("outputPorts.*.release[].purpose", TEXT, .flags = REQ, .help = "What they are released for.", .example = "service"),
    KEY("outputPorts.*.release[].basis", ENUM, .flags = REQ,
        .values = "consent contract legal_obligation vital_interests public_task legitimate_interests",
        .help = "The legal basis (GDPR, Article 6). `consent`: only of subjects who have given it to this purpose.",
        .example = "contract"),
    KEY("outputPorts.*.release[].without", ENUM, .values = "field row", .fallback = "field",
        .help = "With `basis: consent`, without consent: the fields are null, or (kafka, mongo) the row is not there.",
        .example = "row"),
};

static const struct mesh_bind_key mesh_keys[] = {
    KEY("apiVersion", ENUM, .flags = REQ, .values = "mesh/v1", .help = "Version of this vocabulary.", .example = "mesh/v1"),
    KEY("kind", ENUM, .flags = REQ, .values = "Mesh", .help = "What this file declares.", .example = "Mesh"),
    KEY("name", NAME, .flags = REQ, .help = "Name of the mesh.", .example = "omnishop"),
    KEY("description", TEXT, .help = "What people read about it.", .example = "The data products of OmniShop."),
    KEY("compatibility", ENUM, .values = COMPATIBILITY, .fallback = "BACKWARD_TRANSITIVE",
        .help =
            "What a new version of a contract must be: who reads with it can read what older versions wrote (BACKWARD), who reads "
            "with an older one can read what it writes (FORWARD), or both; against the last version, or all (TRANSITIVE).",
        .example = "FULL_TRANSITIVE"),
    KEY("pseudonym", MAP, .help = "How personal fields become pseudonyms."),
    KEY("pseudonym.keyRef", TEXT, .flags = REQ,
        .help = "Where the secret key is: env:NAME, an environment variable. Never the key itself.",
        .example = "env:MESH_PSEUDONYM_KEY"),
    KEY("topics", MAP, .help = "Defaults of all topics."),
    KEY("topics.partitions", INTEGER, .min = 1, .max = 1000, .fallback = "4", .help = "Partitions of a topic that does not say.",
        .example = "4"),
    KEY("policies", LIST, .help = "Rules of the platform team, held against every product."),
    KEY("policies[]", MAP, .help = "One rule."),
    KEY("policies[].code", TEXT, .flags = REQ, .help = "Its code, in messages and waivers: capital letters and a number.",
        .example = "DATA001"),
    KEY("policies[].over", ENUM, .flags = REQ, .values = "product inputPort stream view outputPort field",
        .help = "What it is about: each of these is looked at.", .example = "outputPort"),
    KEY("policies[].where", EXPRESSION, .help = "Only those for which it is true.", .example = "product.status == \"active\""),
    KEY("policies[].require", EXPRESSION, .flags = REQ, .help = "What must be true.", .example = "has(outputPort.description)"),
    KEY("policies[].text", TEXT, .flags = REQ, .help = "The rule in a sentence, for whose product does not keep to it.",
        .example = "A port says what it is for."),
    KEY("policies[].why", TEXT, .help = "Why there is this rule.", .example = "Consumers find it in the catalogue."),
    KEY("policies[].fix", TEXT, .help = "What to do.", .example = "Write 'description: ...' in the port."),
    KEY("policies[].severity", ENUM, .values = "error warning", .fallback = "error", .help = "Whether it stops the build.",
        .example = "warning"),
    KEY("services", NAMES,
        .help = "Ports of the domains' services on a developer's machine; a domain that is not listed gets the next one.",
        .example = "{ customer: 8081, sales_fraud: 8083 }"),
    KEY("services.*", INTEGER, .min = 1, .max = 65535, .help = "HTTP port of the domain's service.", .example = "8081"),
};

static const struct mesh_bind_key waivers_keys[] = {
    KEY("apiVersion", ENUM, .flags = REQ, .values = "mesh/v1", .help = "Version of this vocabulary.", .example = "mesh/v1"),
    KEY("kind", ENUM, .flags = REQ, .values = "Waivers", .help = "What this file declares.", .example = "Waivers"),
    KEY("waivers", LIST, .flags = REQ,
        .help = "Breaking changes that are meant, without a new major version; and policies that a part need not keep to yet."),
    KEY("waivers[]", MAP, .help = "One of them."),
    KEY("waivers[].code", TEXT, .flags = REQ, .help = "Code of the finding.", .example = "MB010"),
    KEY("waivers[].part", TEXT, .flags = REQ,
        .help = "What changed, as the finding's fix calls it; or what a policy is about, as its message calls it.",
        .example = "shop/views.by_country.keep"),
    KEY("waivers[].reason", TEXT, .flags = REQ, .help = "Why, for who reviews it.", .example = "Agreed with all readers."),
    KEY("waivers[].until", TEXT, .flags = REQ, .help = "The last day (UTC) on which it holds.", .example = "2026-12-31"),
};

const struct mesh_bind_table mesh_bind_waivers = {"Waivers", waivers_keys, MESH_LEN(waivers_keys)};

static const struct mesh_bind_key test_keys[] = {
    KEY("apiVersion", ENUM, .flags = REQ, .values = "mesh/v1", .help = "Version of this vocabulary.", .example = "mesh/v1"),
    KEY("kind", ENUM, .flags = REQ, .values = "Test", .help = "What this file declares.", .example = "Test"),
    KEY("describe", TEXT, .flags = REQ, .help = "What must be true, in a sentence; it is shown with the result.",
        .example = "a repeated payment counts once"),
    KEY("product", NAME, .help = "Which product; needed where the domain has several.", .example = "sales_fraud"),
    KEY("partitions", INTEGER, .min = 1, .max = 64, .fallback = "1", .help = "Partitions of every topic, input and output.",
        .example = "4"),
    KEY("defaults", NAMES, .help = "Fields for all records of an input that do not give them."),
    KEY("defaults.*", VALUE, .help = "By the name of the input: its fields.", .example = "{ channel: WEB, country: DE }"),
    KEY("given", LIST, .flags = REQ | MESH_BIND_EMPTY_OK, .help = "What comes in, in this order within each partition."),
    KEY("given[]", MAP, .help = "Records of one input port, or time that passes."),
    KEY("given[].input", NAME, .help = "The input port.", .example = "card_payments"),
    KEY("given[].record", VALUE, .help = "One record: its fields, as the contract has them.",
        .example = "{ currency: USD, eur: \"0.9\" }"),
    KEY("given[].records", LIST, .help = "Several records."),
    KEY("given[].records[]", VALUE, .help = "One record.", .example = "{ currency: USD, eur: \"0.9\" }"),
    KEY("given[].csv", TEXT,
        .help = "A file of records beside the test; its first line names the fields, an empty cell is a field left out.",
        .example = "payments.csv"),
    KEY("given[].jsonl", TEXT, .help = "A file of records beside the test, a JSON object on each line.",
        .example = "payments.jsonl"),
    KEY("given[].version", INTEGER, .min = 1, .max = 99999,
        .help = "The version of the input's contract that wrote the records; otherwise the one that the input names.",
        .example = "1"),
    KEY("given[].at", TEXT, .help = "Kafka's time of the records; otherwise the event time of each.",
        .example = "2026-11-21T10:00:00Z"),
    KEY("given[].key", TEXT, .help = "The message key; otherwise the text of the key field.", .example = "c1"),
    KEY("given[].removed", BOOL, .help = "A message without a value: it removes the row of this key from a table.",
        .example = "true"),
    KEY("given[].bytes", TEXT, .help = "A value as it is on the wire, in hexadecimal digits, for what no contract allows.",
        .example = "\"00ff\""),
    KEY("given[].pass", DURATION, .help = "The wall clock goes on by this, after all above was processed: inputs become idle.",
        .example = "10s"),
    KEY("expect", LIST, .flags = REQ, .help = "What there must be at the end, when nothing waits any more."),
    KEY("expect[]", MAP,
        .help = "The rows of a view, the messages, rows or events of an output port, the dead letters, or the late records."),
    KEY("expect[].view", NAME, .help = "The rows of this view, with the fields as the product knows them.",
        .example = "sales_by_country"),
    KEY("expect[].port", NAME,
        .help = "What leaves through this output port, protected as it is there: messages, rows, documents or events.",
        .example = "alerts"),
    KEY("expect[].key", VALUE, .help = "Only the rows or messages with these members are looked at.", .example = "{ country: DE }"),
    KEY("expect[].rows", LIST, .flags = MESH_BIND_EMPTY_OK,
        .help = "These rows and no others; members that are not named may be anything."),
    KEY("expect[].rows[]", VALUE, .help = "Members of a row.", .example = "{ country: DE, n: 1 }"),
    KEY("expect[].messages", LIST, .flags = MESH_BIND_EMPTY_OK,
        .help =
            "These messages and no others, by the fields of the port's contract, `key` and `removed`. Where the port sends changes: the "
            "newest of each key."),
    KEY("expect[].messages[]", VALUE, .help = "Members of a message.", .example = "{ rule: velocity, card_id: { pseudonym: c1 } }"),
    KEY("expect[].events", LIST, .flags = MESH_BIND_EMPTY_OK,
        .help =
            "These events and no others, by their members and `removed`. Where the port tells changes: the newest of each row."),
    KEY("expect[].events[]", VALUE, .help = "Members of an event.", .example = "{ rule: velocity, card_id: { pseudonym: c1 } }"),
    KEY("expect[].deadLetters", LIST, .flags = MESH_BIND_EMPTY_OK,
        .help = "These dead letters and no others, by `code`, `input`, `stage`, `site`, `key` and `record`."),
    KEY("expect[].deadLetters[]", VALUE, .help = "Members of a dead letter.",
        .example = "{ code: join.missing, input: card_payments }"),
    KEY("expect[].late", LIST, .flags = MESH_BIND_EMPTY_OK, .help = "These late records and no others, by the same members."),
    KEY("expect[].late[]", VALUE, .help = "Members of a late record.",
        .example = "{ input: card_payments, record: { payment_id: p3 } }"),
    KEY("expect[].absent", BOOL, .help = "Nothing of this kind is there (with this key).", .example = "true"),
    KEY("expect[].more", BOOL, .fallback = "false", .help = "Others may be there too.", .example = "true"),
    KEY("expect[].ordered", BOOL, .fallback = "false",
        .help = "The order counts: rows by window and key, messages and events by event time, letters by offset.",
        .example = "true"),
    KEY("expect[].tolerance", TEXT, .help = "How far a double or decimal may be off.", .example = "0.001"),
};

const struct mesh_bind_table mesh_bind_product = {"DataProduct", product_keys, MESH_LEN(product_keys)};
const struct mesh_bind_table mesh_bind_mesh = {"Mesh", mesh_keys, MESH_LEN(mesh_keys)};
const struct mesh_bind_table mesh_bind_test = {"Test", test_keys, MESH_LEN(test_keys)};

/* ---- looking things up ---- */

const struct mesh_bind_key *mesh_bind_find(const struct mesh_bind_table *table, const char *path)
{
    for (size_t i = 0; i < table->n; i++) {
        if (strcmp(table->keys[i].path, path) == 0)
            return &table->keys[i];
    }
    return NULL;
}

const char *mesh_bind_child(const struct mesh_bind_key *key, const char *path)
{
    size_t n = strlen(path);
    const char *rest = key->path;
    if (n > 0) {
        if (strncmp(rest, path, n) != 0 || rest[n] != '.')
            return NULL;
        rest += n + 1;
    }
    return strpbrk(rest, ".[") == NULL ? rest : NULL;
}

bool mesh_bind_word_in(const char *words, const char *word, int *ret_index)
{
    size_t n = strlen(word);
    int index = 0;
    for (const char *p = words; *p != '\0'; index++) {
        size_t length = strcspn(p, " ");
        if (length == n && strncmp(p, word, n) == 0) {
            if (ret_index != NULL)
                *ret_index = index;
            return true;
        }
        p += length;
        p += *p == ' ';
    }
    return false;
}

const char *mesh_bind_kind_text(enum mesh_bind_kind kind)
{
    static const char *const texts[MESH_BIND_KIND_COUNT] = {
        [MESH_BIND_TEXT] = "text",
        [MESH_BIND_NAME] = "a name",
        [MESH_BIND_TOPIC] = "a topic",
        [MESH_BIND_CONTRACT] = "a contract (domain/subject@1)",
        [MESH_BIND_PRODUCT] = "an output port (product/port)",
        [MESH_BIND_VERSION] = "a version (1.0.0)",
        [MESH_BIND_DURATION] = "a duration (10s, 5m, 24h, 7d)",
        [MESH_BIND_OFFSET] = "a duration, forward or back (30s, -7d)",
        [MESH_BIND_INTEGER] = "a whole number",
        [MESH_BIND_BOOL] = "true or false",
        [MESH_BIND_PERCENT] = "a percentage (99.9%)",
        [MESH_BIND_ENUM] = "one word of a list",
        [MESH_BIND_TYPE] = "a type (long, string?, decimal(12,2))",
        [MESH_BIND_EXPRESSION] = "an expression",
        [MESH_BIND_MAP] = "a map of keys",
        [MESH_BIND_NAMES] = "a map of names of your own",
        [MESH_BIND_CHOICE] = "a map with one key",
        [MESH_BIND_LIST] = "a list",
        [MESH_BIND_ONE_OR_LIST] = "one, or a list",
        [MESH_BIND_FROM] = "a name, a list of names, or { changes: VIEW }",
        [MESH_BIND_VALUE] = "a value",
    };
    return texts[kind];
}

const char *mesh_bind_synonym(const char *word, const char *const *names, size_t n)
{
    static const char *const words[][2] = {
        {"filter", "where"},
        {"map", "set"},
        {"project", "select"},
        {"deduplicate", "dedupe"},
        {"distinct", "dedupe"},
        {"lookup", "join"},
        {"aggregate", "let"},
        {"columns", "let"},
        {"aggregates", "let"},
        {"groupBy", "by"},
        {"group_by", "by"},
        {"keyBy", "by"},
        {"source", "from"},
        {"sources", "from"},
        {"input", "from"},
        {"ttl", "keep"},
        {"retention", "keep"},
        {"windows", "window"},
        {"size", "tumbling"},
        {"advance", "every"},
        {"slide", "every"},
        {"lateness", "grace"},
        {"type", "kind"},
        {"schema", "contract"},
        {"event_time", "eventTime"},
        {"timestamp", "eventTime"},
        {"lateness", "delay"},
        {"sla", "slaProperties"},
        {"owner", "team"},
        {"owners", "team"},
        {"inputs", "inputPorts"},
        {"outputs", "outputPorts"},
        {"on", "key"},
        {"url", "path"},
        {"endpoint", "path"},
        {"as_of", "asOf"},
        {"privacy", "protect"},
    };
    for (size_t i = 0; i < MESH_LEN(words); i++) {
        if (strcmp(words[i][0], word) != 0)
            continue;
        for (size_t k = 0; k < n; k++) {
            if (strcmp(names[k], words[i][1]) == 0)
                return names[k];
        }
    }
    return NULL;
}
