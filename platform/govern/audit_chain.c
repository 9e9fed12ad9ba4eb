/* The form of an audit's lines and head. Reading takes them apart by position, not as JSON: what a line must be is fixed, byte by
 * byte, by its mac; everything in front of the mac is covered by it. */
#include "govern/audit_int.h"

#include "base/check.h"
#include "base/text.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAC_HEX   (2 * MESH_AUDIT_MAC_BYTES)
#define MAC_INTRO ",\"mac\":\""
#define MAC_OUTRO "\"}"
/* At the end of the entry that a file begins with: in front of its mac. */
#define BEFORE_INTRO ",\"before\":\""
#define BEFORE_CHARS (sizeof BEFORE_INTRO - 1 + MAC_HEX + 1)
#define TAIL_CHARS   (sizeof MAC_INTRO - 1 + MAC_HEX + sizeof MAC_OUTRO - 1)

void mesh_audit_chain_init(struct mesh_audit_chain *ret, struct mesh_str key)
{
    *ret = (struct mesh_audit_chain){0};
    mesh_hmac_init(&ret->hmac, key.p, key.n);
}

static void mac_of(const struct mesh_audit_chain *chain, const uint8_t before[MESH_AUDIT_MAC_BYTES], struct mesh_str text,
                   uint8_t ret[MESH_AUDIT_MAC_BYTES])
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf all = {0};
    mesh_buf_add(&all, before, MESH_AUDIT_MAC_BYTES);
    mesh_buf_str(&all, text);
    mesh_hmac_of(&chain->hmac, all.p, all.n, ret);
}

static void add_mac(const uint8_t mac[MESH_AUDIT_MAC_BYTES], struct mesh_buf *out)
{
    char hex[MAC_HEX + 1];
    mesh_hex(mac, MESH_AUDIT_MAC_BYTES, hex);
    mesh_buf_puts(out, MAC_INTRO);
    mesh_buf_puts(out, hex);
    mesh_buf_puts(out, MAC_OUTRO "\n");
}

void mesh_audit_chain_write(struct mesh_audit_chain *chain, struct mesh_str body, struct mesh_buf *out)
{
    size_t begin = out->n;
    mesh_buf_printf(out, "{\"n\":%llu,", (unsigned long long)++chain->n);
    mesh_buf_str(out, body);
    uint8_t mac[MESH_AUDIT_MAC_BYTES];
    mac_of(chain, chain->mac, (struct mesh_str){out->p + begin, (uint32_t)(out->n - begin)}, mac);
    memcpy(chain->mac, mac, sizeof mac);
    add_mac(mac, out);
}

/* There is one way to write a mac: another case is a change, too. */
static bool from_hex(const char *p, uint8_t ret[MESH_AUDIT_MAC_BYTES])
{
    char again[MAC_HEX + 1];
    if (!mesh_hex_read(p, MESH_AUDIT_MAC_BYTES, ret))
        return false;
    mesh_hex(ret, MESH_AUDIT_MAC_BYTES, again);
    return memcmp(p, again, MAC_HEX) == 0;
}

/* `{"n":DIGITS,...,"mac":"HEX"}`: its number, what its mac covers, and the mac. */
static bool take_apart(struct mesh_str line, uint64_t *ret_n, struct mesh_str *ret_text, uint8_t ret_mac[MESH_AUDIT_MAC_BYTES])
{
    static const char intro[] = "{\"n\":";
    if (line.n < sizeof intro - 1 + TAIL_CHARS || memcmp(line.p, intro, sizeof intro - 1) != 0)
        return false;
    *ret_text = (struct mesh_str){line.p, line.n - (uint32_t)TAIL_CHARS};
    const char *tail = ret_text->p + ret_text->n;
    const char *hex = tail + sizeof MAC_INTRO - 1;
    if (memcmp(tail, MAC_INTRO, sizeof MAC_INTRO - 1) != 0 || memcmp(hex + MAC_HEX, MAC_OUTRO, sizeof MAC_OUTRO - 1) != 0 ||
        !from_hex(hex, ret_mac))
        return false;
    uint64_t n = 0;
    const char *p = line.p + sizeof intro - 1;
    const char *first = p;
    for (; p < tail && *p >= '0' && *p <= '9' && p - first < 19; p++)
        n = n * 10 + (uint64_t)(*p - '0');
    *ret_n = n;
    return p > first;
}

void mesh_audit_chain_write_first(struct mesh_audit_chain *chain, int64_t at_us, struct mesh_buf *out)
{
    mesh_cleanup(mesh_buf_deinit) struct mesh_buf body = {0};
    char hex[MAC_HEX + 1];
    mesh_hex(chain->mac, MESH_AUDIT_MAC_BYTES, hex);
    mesh_buf_puts(&body, "\"at\":\"");
    mesh_text_time(&body, at_us);
    mesh_buf_printf(&body, "\",\"event\":\"file\"%s%s\"", BEFORE_INTRO, hex);
    mesh_audit_chain_write(chain, (struct mesh_str){body.p, (uint32_t)body.n}, out);
}

bool mesh_audit_chain_begin(struct mesh_audit_chain *chain, struct mesh_str line)
{
    uint64_t n = 0;
    struct mesh_str text;
    uint8_t mac[MESH_AUDIT_MAC_BYTES];
    if (!take_apart(line, &n, &text, mac) || n == 0 || text.n < BEFORE_CHARS)
        return false;
    const char *before = text.p + text.n - BEFORE_CHARS;
    if (memcmp(before, BEFORE_INTRO, sizeof BEFORE_INTRO - 1) != 0 || !from_hex(before + sizeof BEFORE_INTRO - 1, chain->mac))
        return false;
    chain->n = n - 1;
    return true;
}

enum mesh_audit_finding mesh_audit_chain_read(struct mesh_audit_chain *chain, struct mesh_str line)
{
    uint64_t n = 0;
    struct mesh_str text;
    uint8_t claimed[MESH_AUDIT_MAC_BYTES];
    uint8_t mac[MESH_AUDIT_MAC_BYTES];
    if (!take_apart(line, &n, &text, claimed))
        return MESH_AUDIT_UNREADABLE;
    mac_of(chain, chain->mac, text, mac);
    if (n != chain->n + 1)
        return MESH_AUDIT_GAP;
    if (CRYPTO_memcmp(mac, claimed, sizeof mac) != 0)
        return MESH_AUDIT_CHANGED;
    memcpy(chain->mac, mac, sizeof mac);
    chain->n = n;
    return MESH_AUDIT_SOUND;
}

/* The head's own mac stands behind a word that no line's can: a line is not a head. */
static const uint8_t head_before[MESH_AUDIT_MAC_BYTES] = "mesh audit head";

void mesh_audit_head_write(const struct mesh_audit_chain *chain, struct mesh_buf *out)
{
    size_t begin = out->n;
    char hex[MAC_HEX + 1];
    mesh_hex(chain->mac, MESH_AUDIT_MAC_BYTES, hex);
    mesh_buf_printf(out, "{\"n\":%llu,\"last\":\"%s\"", (unsigned long long)chain->n, hex);
    uint8_t mac[MESH_AUDIT_MAC_BYTES];
    mac_of(chain, head_before, (struct mesh_str){out->p + begin, (uint32_t)(out->n - begin)}, mac);
    add_mac(mac, out);
}

enum mesh_audit_finding mesh_audit_head_read(const struct mesh_audit_chain *chain, struct mesh_str text, uint64_t *ret_n,
                                             uint8_t ret_mac[MESH_AUDIT_MAC_BYTES])
{
    if (text.n > 0 && text.p[text.n - 1] == '\n')
        text.n--;
    struct mesh_str covered;
    uint8_t claimed[MESH_AUDIT_MAC_BYTES];
    uint8_t mac[MESH_AUDIT_MAC_BYTES];
    if (!take_apart(text, ret_n, &covered, claimed))
        return MESH_AUDIT_HEAD;
    mac_of(chain, head_before, covered, mac);
    /* ..."last":"HEX" */
    if (CRYPTO_memcmp(mac, claimed, sizeof mac) != 0 || covered.n < MAC_HEX + 1 ||
        !from_hex(covered.p + covered.n - 1 - MAC_HEX, ret_mac))
        return MESH_AUDIT_HEAD;
    return MESH_AUDIT_SOUND;
}

void mesh_audit_segment_name(uint64_t number, char ret[MESH_AUDIT_NAME_CHARS])
{
    snprintf(ret, MESH_AUDIT_NAME_CHARS, "audit.%06llu.ndjson", (unsigned long long)number);
}

const char *mesh_audit_finding_text(enum mesh_audit_finding finding)
{
    switch (finding) {
    case MESH_AUDIT_SOUND:
        return "sound";
    case MESH_AUDIT_UNREADABLE:
        return "this is not a line of an audit";
    case MESH_AUDIT_CHANGED:
        return "this entry, or the one before it, was changed, or the key is another one";
    case MESH_AUDIT_GAP:
        return "entries are missing in front of this one, or it is out of turn";
    case MESH_AUDIT_TRUNCATED:
        return "the end is missing: there were more entries";
    case MESH_AUDIT_HEAD:
        return "audit.head is missing, was changed, or belongs to another audit or key";
    case MESH_AUDIT_TORN:
        return "the last line is not whole, as after a crash; the next start of the service cuts it off";
    }
    return "?";
}
