/* Who was shown what: a record that cannot be changed unseen.
 *
 * A folder of files `audit.000001.ndjson`, ..., one JSON object a line, appended to and never rewritten:
 *
 *     {"n":7,"at":"...","decision":"allowed","who":"care-desk","role":"care","purpose":"service","method":"GET",
 *      "port":"customer/profiles","fields":"email,name","rows":3,"mac":"<64 hex digits>"}
 *
 * A file begins with an entry of its own, whose `before` repeats the mac that the chain stood at, so that old files may be put away
 * somewhere else and the rest can still be verified. `n` counts from 1 without a gap, over all files. `mac` is HMAC-SHA256, with the audit key, over the 32 bytes of the mac before it (zeros before the
 * first) and the line up to `,"mac"`. Who lacks the key can neither change, insert, remove nor reorder a line without breaking the
 * chain from there on. A chain does not show that its end is missing: the file `audit.head`, replaced behind each write, says n and mac
 * of the last entry under a mac of its own. Who can put back an older folder as a whole, head included, is found only by the number
 * that somebody else knows: the service tells it as a metric, and `meshctl audit verify --at-least N` asks for it.
 *
 * Entries name ports, fields and counts, never values: the audit of personal data must not become a second store of it.
 *
 * Threads: mesh_audit_add() may be called by any; one thread of the audit's own writes batches, each followed by fdatasync. The queue
 * is bounded. When it is full, or a write has failed, add says so, and its caller refuses the request: no entry, no answer.
 *
 * Errors: FATAL "audit.broken" when what is there does not fit its head or its chain (nothing is written then; `meshctl audit verify`
 * says where), FATAL "audit.unwritable". What a crash leaves behind the head belongs to the chain if it is whole; a line that is
 * not is cut off at the next start, and the next entry says so.
 */
#ifndef MESH_GOVERN_AUDIT_H
#define MESH_GOVERN_AUDIT_H

#include "base/buf.h"
#include "mesh/err.h"

#define MESH_AUDIT_SEGMENT_BYTES   (16u << 20) /* then the next file begins */
#define MESH_AUDIT_QUEUE_BYTES_MAX (4u << 20)  /* about 10,000 entries that wait to be written */
#define MESH_AUDIT_MAC_BYTES       32

struct mesh_audit_entry {
    int64_t at_us;
    const char *decision; /* "allowed" or "denied" */
    const char *reason;   /* of a denial, a code; or NULL */
    struct mesh_str who, role, purpose;
    const char *method;
    const char *port;       /* "customer/profiles" */
    struct mesh_str fields; /* the labelled ones that were shown, with commas */
    int64_t rows;
};

struct mesh_audit;

/* Goes on with the folder, or begins one. The key is copied. */
int mesh_audit_open(const char *dir, struct mesh_str key, struct mesh_audit **ret, struct mesh_err *err);
/* 0: it will be written; 1: it will not (queue full, or a write failed before): refuse what it was about. */
int mesh_audit_add(struct mesh_audit *audit, const struct mesh_audit_entry *entry);
/* Number of the last entry that is on disk. */
uint64_t mesh_audit_written(struct mesh_audit *audit);
/* Whether a write has failed; *err says how. */
bool mesh_audit_failed(struct mesh_audit *audit, struct mesh_err *err);
/* Writes what is queued, then ends. Takes NULL. */
struct mesh_audit *mesh_audit_close(struct mesh_audit *audit);

/* ---- verification ---- */
enum mesh_audit_finding {
    MESH_AUDIT_SOUND = 0,
    MESH_AUDIT_UNREADABLE, /* not a line of an audit */
    MESH_AUDIT_CHANGED,    /* its mac is not that of its text behind the line before */
    MESH_AUDIT_GAP,        /* entries are missing in front of it, or it is out of turn */
    MESH_AUDIT_TRUNCATED,  /* the head, or the number asked for, says more entries than there are */
    MESH_AUDIT_HEAD,       /* the head is missing, or not the key's, or does not fit its entry */
    MESH_AUDIT_TORN        /* the last line is not whole: a crash, if nothing else is wrong */
};

struct mesh_audit_report {
    uint64_t entries, first, last; /* numbers; 0: none */
    enum mesh_audit_finding finding;
    char file[64]; /* name in the folder, and line, of the finding; "" and 0 when it has none */
    uint64_t line;
};

/* Reads all of it, to the first thing that is wrong. The entries must begin with `first` (1, unless older files were put away) and reach
 * `at_least` (0: only the head says how many there must be). 0, or negative when it cannot be read. */
int mesh_audit_verify(const char *dir, struct mesh_str key, uint64_t first, uint64_t at_least, struct mesh_audit_report *ret,
                      struct mesh_err *err);
/* A sentence about a finding. */
const char *mesh_audit_finding_text(enum mesh_audit_finding finding);

#endif
