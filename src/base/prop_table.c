/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <strings.h>
#include "base/prop_table.h"
#include <daos_security.h>

#define KIB(n)      ((uint64_t)(n) << 10)
#define U32_MAX_VAL 0xffffffffULL

static const struct prop_word reclaim_words[] = {
	{"disabled", DAOS_RECLAIM_DISABLED}, {"lazy", DAOS_RECLAIM_LAZY}, {"time", DAOS_RECLAIM_TIME}, {NULL, 0}};
static const struct prop_word self_heal_words[] = {
	{"exclude", DAOS_SELF_HEAL_AUTO_EXCLUDE}, {"rebuild", DAOS_SELF_HEAL_AUTO_REBUILD},
	{"delay_rebuild", DAOS_SELF_HEAL_DELAY_REBUILD}, {NULL, 0}};
static const struct prop_word upgrade_words[] = {
	{"not started", DAOS_UPGRADE_STATUS_NOT_STARTED}, {"in progress", DAOS_UPGRADE_STATUS_IN_PROGRESS},
	{"completed", DAOS_UPGRADE_STATUS_COMPLETED}, {"failed", DAOS_UPGRADE_STATUS_FAILED}, {NULL, 0}};
static const struct prop_word scrub_words[] = {
	{"off", DAOS_SCRUB_MODE_OFF}, {"lazy", DAOS_SCRUB_MODE_LAZY}, {"timed", DAOS_SCRUB_MODE_TIMED}, {NULL, 0}};
static const struct prop_word domain_words[] = {
	{"root", DAOS_PROP_PERF_DOMAIN_ROOT}, {"group", DAOS_PROP_PERF_DOMAIN_GROUP}, {NULL, 0}};
static const struct prop_word checkpoint_words[] = {
	{"disabled", DAOS_CHECKPOINT_DISABLED}, {"timed", DAOS_CHECKPOINT_TIMED}, {"lazy", DAOS_CHECKPOINT_LAZY},
	{NULL, 0}};
static const struct prop_word reint_words[] = {
	{"data_sync", DAOS_REINT_MODE_DATA_SYNC}, {"no_data_sync", DAOS_REINT_MODE_NO_DATA_SYNC},
	{"incremental", DAOS_REINT_MODE_INCREMENTAL}, {NULL, 0}};
const struct prop_word prop_layout_words[] = {
	{"unknown", DAOS_PROP_CO_LAYOUT_UNKNOWN}, {"POSIX", DAOS_PROP_CO_LAYOUT_POSIX},
	{"HDF5", DAOS_PROP_CO_LAYOUT_HDF5}, {"PYTHON", DAOS_PROP_CO_LAYOUT_PYTHON},
	{"SPARK", DAOS_PROP_CO_LAYOUT_SPARK}, {"DATABASE", DAOS_PROP_CO_LAYOUT_DATABASE},
	{"ROOT", DAOS_PROP_CO_LAYOUT_ROOT}, {"SEISMIC", DAOS_PROP_CO_LAYOUT_SEISMIC},
	{"METEO", DAOS_PROP_CO_LAYOUT_METEO}, {NULL, 0}};
static const struct prop_word cksum_words[] = {
	{"off", DAOS_PROP_CO_CSUM_OFF}, {"adler32", DAOS_PROP_CO_CSUM_ADLER32}, {"crc16", DAOS_PROP_CO_CSUM_CRC16},
	{"crc32", DAOS_PROP_CO_CSUM_CRC32}, {"crc64", DAOS_PROP_CO_CSUM_CRC64}, {"sha1", DAOS_PROP_CO_CSUM_SHA1},
	{"sha256", DAOS_PROP_CO_CSUM_SHA256}, {"sha512", DAOS_PROP_CO_CSUM_SHA512}, {NULL, 0}};
static const struct prop_word off_on_words[] = {
	{"off", DAOS_PROP_CO_CSUM_SV_OFF}, {"on", DAOS_PROP_CO_CSUM_SV_ON}, {NULL, 0}};
static const struct prop_word redun_lvl_words[] = {
	{"rank", DAOS_PROP_CO_REDUN_RANK}, {"node", DAOS_PROP_CO_REDUN_NODE}, {"1", DAOS_PROP_CO_REDUN_RANK},
	{"2", DAOS_PROP_CO_REDUN_NODE}, {NULL, 0}};
static const struct prop_word compress_words[] = {
	{"off", DAOS_PROP_CO_COMPRESS_OFF}, {"lz4", DAOS_PROP_CO_COMPRESS_LZ4},
	{"deflate", DAOS_PROP_CO_COMPRESS_DEFLATE}, {"deflate1", DAOS_PROP_CO_COMPRESS_DEFLATE1},
	{"deflate2", DAOS_PROP_CO_COMPRESS_DEFLATE2}, {"deflate3", DAOS_PROP_CO_COMPRESS_DEFLATE3},
	{"deflate4", DAOS_PROP_CO_COMPRESS_DEFLATE4}, {NULL, 0}};
static const struct prop_word encrypt_words[] = {
	{"off", DAOS_PROP_CO_ENCRYPT_OFF}, {"aes-xts128", DAOS_PROP_CO_ENCRYPT_AES_XTS128},
	{"aes-xts256", DAOS_PROP_CO_ENCRYPT_AES_XTS256}, {"aes-cbc128", DAOS_PROP_CO_ENCRYPT_AES_CBC128},
	{"aes-cbc192", DAOS_PROP_CO_ENCRYPT_AES_CBC192}, {"aes-cbc256", DAOS_PROP_CO_ENCRYPT_AES_CBC256},
	{"aes-gcm128", DAOS_PROP_CO_ENCRYPT_AES_GCM128}, {"aes-gcm256", DAOS_PROP_CO_ENCRYPT_AES_GCM256}, {NULL, 0}};
static const struct prop_word dedup_words[] = {
	{"off", DAOS_PROP_CO_DEDUP_OFF}, {"memcmp", DAOS_PROP_CO_DEDUP_MEMCMP}, {"hash", DAOS_PROP_CO_DEDUP_HASH},
	{NULL, 0}};

/* One line a property; POOL(), CONT() fill in what most have. */
#define NUM(t, n, ttl, ...)                                                                        \
	{.type = t, .kind = PROP_KIND_NUM, .name = n, .title = ttl, .max = UINT64_MAX, __VA_ARGS__}
#define STR(t, n, ttl, d, ...)                                                                     \
	{.type = t, .kind = PROP_KIND_STR, .name = n, .title = ttl, .def_str = d, __VA_ARGS__}
#define PTR(t, k, n, ttl, ...) {.type = t, .kind = k, .name = n, .title = ttl, __VA_ARGS__}
#define WORDS(w, d)            .form = PROP_FORM_WORD, .words = w, .def = d
#define RANGE(lo, hi, d)       .min = lo, .max = hi, .def = d
#define INHERITS(t)            .flags = PROP_INHERIT, .from = t

/* The macros set .max first and again in RANGE: the last one counts. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
static const struct prop_desc pool_props[] = {
	STR(DAOS_PROP_PO_LABEL, "label", "Pool label", DAOS_PROP_PO_LABEL_DEFAULT),
	PTR(DAOS_PROP_PO_ACL, PROP_KIND_ACL, "acl", "Access Control List", .flags = PROP_OWNED),
	NUM(DAOS_PROP_PO_SPACE_RB, "space_rb", "Rebuild space ratio", .form = PROP_FORM_PERCENT, RANGE(0, 100, 5)),
	NUM(DAOS_PROP_PO_SELF_HEAL, "self_heal", "Self-healing policy", .form = PROP_FORM_FLAGS,
	    .words = self_heal_words, RANGE(0, 7, DAOS_SELF_HEAL_AUTO_EXCLUDE | DAOS_SELF_HEAL_AUTO_REBUILD)),
	NUM(DAOS_PROP_PO_RECLAIM, "reclaim", "Reclaim strategy", WORDS(reclaim_words, DAOS_RECLAIM_LAZY)),
	STR(DAOS_PROP_PO_OWNER, "owner", "Owner", "NOBODY@", .flags = PROP_OWNED),
	STR(DAOS_PROP_PO_OWNER_GROUP, "group", "Group", "NOBODY@", .alias = "owner_group", .flags = PROP_OWNED),
	PTR(DAOS_PROP_PO_SVC_LIST, PROP_KIND_RANKS, "svc_list", "Pool service replica list", .flags = PROP_SERVICE),
	NUM(DAOS_PROP_PO_EC_CELL_SZ, "ec_cell_sz", "EC cell size", .form = PROP_FORM_BYTES,
	    RANGE(KIB(4), KIB(1024), KIB(128)), .multiple = 32),
	NUM(DAOS_PROP_PO_DATA_THRESH, "data_thresh", "Data bdev threshold size", .form = PROP_FORM_BYTES,
	    RANGE(0, KIB(1024), DAOS_PROP_PO_DATA_THRESH_DEFAULT)),
	NUM(DAOS_PROP_PO_REDUN_FAC, "rd_fac", "Pool redundancy factor", .alias = "rf",
	    RANGE(0, DAOS_PROP_PO_REDUN_FAC_MAX, DAOS_PROP_PO_REDUN_FAC_DEFAULT)),
	NUM(DAOS_PROP_PO_EC_PDA, "ec_pda", "Performance domain affinity level of EC",
	    .form = PROP_FORM_LEVEL, RANGE(1, U32_MAX_VAL, DAOS_PROP_PO_EC_PDA_DEFAULT)),
	NUM(DAOS_PROP_PO_RP_PDA, "rp_pda", "Performance domain affinity level of RP",
	    .form = PROP_FORM_LEVEL, RANGE(1, U32_MAX_VAL, DAOS_PROP_PO_RP_PDA_DEFAULT)),
	NUM(DAOS_PROP_PO_GLOBAL_VERSION, "global_version", "Global Version", .flags = PROP_SERVICE, .def = 4),
	NUM(DAOS_PROP_PO_UPGRADE_STATUS, "upgrade_status", "Upgrade Status", .flags = PROP_SERVICE,
	    WORDS(upgrade_words, DAOS_UPGRADE_STATUS_NOT_STARTED)),
	NUM(DAOS_PROP_PO_SCRUB_MODE, "scrub", "Checksum scrubbing mode",
	    WORDS(scrub_words, DAOS_PROP_PO_SCRUB_MODE_DEFAULT)),
	NUM(DAOS_PROP_PO_SCRUB_FREQ, "scrub_freq", "Checksum scrubbing frequency", .alias = "scrub-freq",
	    RANGE(0, U32_MAX_VAL, DAOS_PROP_PO_SCRUB_FREQ_DEFAULT)),
	NUM(DAOS_PROP_PO_SCRUB_THRESH, "scrub_thresh", "Checksum scrubbing threshold", .alias = "scrub-thresh",
	    RANGE(0, U32_MAX_VAL, DAOS_PROP_PO_SCRUB_THRESH_DEFAULT)),
	NUM(DAOS_PROP_PO_SVC_REDUN_FAC, "svc_rf", "Pool service redundancy factor", .flags = PROP_CREATE,
	    RANGE(0, DAOS_PROP_PO_SVC_REDUN_FAC_MAX, DAOS_PROP_PO_SVC_REDUN_FAC_DEFAULT)),
	NUM(DAOS_PROP_PO_OBJ_VERSION, "obj_version", "Object Version", .flags = PROP_SERVICE, .def = 2),
	NUM(DAOS_PROP_PO_PERF_DOMAIN, "perf_domain", "Pool performance domain", .flags = PROP_CREATE,
	    WORDS(domain_words, DAOS_PROP_PO_PERF_DOMAIN_DEFAULT)),
	NUM(DAOS_PROP_PO_CHECKPOINT_MODE, "checkpoint", "WAL checkpointing behavior",
	    WORDS(checkpoint_words, DAOS_PROP_PO_CHECKPOINT_MODE_DEFAULT)),
	NUM(DAOS_PROP_PO_CHECKPOINT_FREQ, "checkpoint_freq", "WAL checkpointing frequency, in seconds",
	    RANGE(DAOS_PROP_PO_CHECKPOINT_FREQ_MIN, DAOS_PROP_PO_CHECKPOINT_FREQ_MAX,
		  DAOS_PROP_PO_CHECKPOINT_FREQ_DEFAULT)),
	NUM(DAOS_PROP_PO_CHECKPOINT_THRESH, "checkpoint_thresh", "WAL checkpoint threshold, in percentage",
	    RANGE(DAOS_PROP_PO_CHECKPOINT_THRESH_MIN, DAOS_PROP_PO_CHECKPOINT_THRESH_MAX,
		  DAOS_PROP_PO_CHECKPOINT_THRESH_DEFAULT)),
	NUM(DAOS_PROP_PO_REINT_MODE, "reintegration", "Reintegration mode",
	    WORDS(reint_words, DAOS_PROP_PO_REINT_MODE_DEFAULT)),
	NUM(DAOS_PROP_PO_SVC_OPS_ENABLED, "svc_ops_enabled", "Metadata duplicate operations detection enabled",
	    RANGE(0, 1, DAOS_PROP_PO_SVC_OPS_ENABLED_DEFAULT)),
	NUM(DAOS_PROP_PO_SVC_OPS_ENTRY_AGE, "svc_ops_entry_age",
	    "Metadata duplicate operations KVS max entry age, in seconds",
	    RANGE(DAOS_PROP_PO_SVC_OPS_ENTRY_AGE_MIN, DAOS_PROP_PO_SVC_OPS_ENTRY_AGE_MAX,
		  DAOS_PROP_PO_SVC_OPS_ENTRY_AGE_DEFAULT)),
};
_Static_assert(ARRAY_NR(pool_props) == DAOS_PROP_PO_NUM, "a pool property is missing");

static const struct prop_desc cont_props[] = {
	STR(DAOS_PROP_CO_LABEL, "label", "Label", DAOS_PROP_CO_LABEL_DEFAULT),
	NUM(DAOS_PROP_CO_LAYOUT_TYPE, "layout_type", "Layout Type", .flags = PROP_CREATE,
	    WORDS(prop_layout_words, DAOS_PROP_CO_LAYOUT_UNKNOWN)),
	NUM(DAOS_PROP_CO_LAYOUT_VER, "layout_version", "Layout Version", .flags = PROP_CREATE, .def = 1),
	NUM(DAOS_PROP_CO_CSUM, "cksum", "Checksum", .flags = PROP_CREATE, WORDS(cksum_words, DAOS_PROP_CO_CSUM_OFF)),
	NUM(DAOS_PROP_CO_CSUM_CHUNK_SIZE, "cksum_size", "Checksum Chunk Size", .flags = PROP_CREATE,
	    .form = PROP_FORM_BYTES, RANGE(1, KIB(1 << 20), KIB(32))),
	NUM(DAOS_PROP_CO_CSUM_SERVER_VERIFY, "srv_cksum", "Server Checksumming", .flags = PROP_CREATE,
	    WORDS(off_on_words, DAOS_PROP_CO_CSUM_SV_OFF)),
	NUM(DAOS_PROP_CO_REDUN_FAC, "rd_fac", "Redundancy Factor", .alias = "rf", .flags = PROP_CREATE,
	    RANGE(0, DAOS_RF_MAX, 0)),
	NUM(DAOS_PROP_CO_REDUN_LVL, "rd_lvl", "Redundancy Level", .alias = "rf_lvl", .flags = PROP_CREATE,
	    WORDS(redun_lvl_words, DAOS_PROP_CO_REDUN_DEFAULT)),
	NUM(DAOS_PROP_CO_SNAPSHOT_MAX, "max_snapshot", "Max Snapshot", .flags = PROP_CREATE, .def = 0),
	PTR(DAOS_PROP_CO_ACL, PROP_KIND_ACL, "acl", "Access Control List", .flags = PROP_OWNED),
	NUM(DAOS_PROP_CO_COMPRESS, "compression", "Compression", .flags = PROP_CREATE,
	    WORDS(compress_words, DAOS_PROP_CO_COMPRESS_OFF)),
	NUM(DAOS_PROP_CO_ENCRYPT, "encryption", "Encryption", .flags = PROP_CREATE,
	    WORDS(encrypt_words, DAOS_PROP_CO_ENCRYPT_OFF)),
	STR(DAOS_PROP_CO_OWNER, "owner", "Owner", "NOBODY@", .flags = PROP_OWNED),
	STR(DAOS_PROP_CO_OWNER_GROUP, "group", "Group", "NOBODY@", .flags = PROP_OWNED),
	NUM(DAOS_PROP_CO_DEDUP, "dedup", "Deduplication", .flags = PROP_CREATE,
	    WORDS(dedup_words, DAOS_PROP_CO_DEDUP_OFF)),
	NUM(DAOS_PROP_CO_DEDUP_THRESHOLD, "dedup_threshold", "Dedupe Threshold", .flags = PROP_CREATE,
	    .form = PROP_FORM_BYTES, RANGE(1, KIB(1 << 20), KIB(4))),
	PTR(DAOS_PROP_CO_ROOTS, PROP_KIND_ROOTS, "root_oids", "Root OIDs"),
	NUM(DAOS_PROP_CO_STATUS, "status", "Health", .form = PROP_FORM_STATUS),
	NUM(DAOS_PROP_CO_ALLOCED_OID, "alloc_oid", "Highest Allocated OID", .flags = PROP_SERVICE),
	NUM(DAOS_PROP_CO_EC_CELL_SZ, "ec_cell_sz", "EC Cell Size", .form = PROP_FORM_BYTES,
	    RANGE(KIB(4), KIB(1024), 0), .multiple = 32, .from = DAOS_PROP_PO_EC_CELL_SZ,
	    .flags = PROP_INHERIT | PROP_CREATE),
	NUM(DAOS_PROP_CO_EC_PDA, "ec_pda", "Performance domain affinity level of EC", .form = PROP_FORM_LEVEL, RANGE(1, U32_MAX_VAL, 0),
	    .from = DAOS_PROP_PO_EC_PDA, .flags = PROP_INHERIT | PROP_CREATE),
	NUM(DAOS_PROP_CO_RP_PDA, "rp_pda", "Performance domain affinity level of RP", .form = PROP_FORM_LEVEL, RANGE(1, U32_MAX_VAL, 0),
	    .from = DAOS_PROP_PO_RP_PDA, .flags = PROP_INHERIT | PROP_CREATE),
	NUM(DAOS_PROP_CO_GLOBAL_VERSION, "global_version", "Global Version", .from = DAOS_PROP_PO_GLOBAL_VERSION,
	    .flags = PROP_INHERIT | PROP_SERVICE),
	NUM(DAOS_PROP_CO_SCRUBBER_DISABLED, "scrub_disabled", "Scrubber Disabled", WORDS(off_on_words, 0)),
	NUM(DAOS_PROP_CO_OBJ_VERSION, "obj_version", "Object Version", .from = DAOS_PROP_PO_OBJ_VERSION,
	    .flags = PROP_INHERIT | PROP_SERVICE),
	NUM(DAOS_PROP_CO_PERF_DOMAIN, "perf_domain", "Performance domain level", .form = PROP_FORM_WORD,
	    .words = domain_words, .from = DAOS_PROP_PO_PERF_DOMAIN, .flags = PROP_INHERIT | PROP_CREATE),
};
#pragma GCC diagnostic pop
_Static_assert(ARRAY_NR(cont_props) == DAOS_PROP_CO_NUM, "a container property is missing");

const struct prop_desc *
prop_table(enum prop_scope scope, uint32_t *ret_nr)
{
	*ret_nr = scope == PROP_POOL ? ARRAY_NR(pool_props) : ARRAY_NR(cont_props);
	return scope == PROP_POOL ? pool_props : cont_props;
}

const struct prop_desc *
prop_desc_by_type(uint32_t type)
{
	const struct prop_desc *desc = NULL;

	if (type > DAOS_PROP_PO_MIN && type < DAOS_PROP_PO_MAX)
		desc = &pool_props[type - DAOS_PROP_PO_MIN - 1];
	else if (type > DAOS_PROP_CO_MIN && type < DAOS_PROP_CO_MAX)
		desc = &cont_props[type - DAOS_PROP_CO_MIN - 1];
	D_ASSERT(desc == NULL || desc->type == type);
	return desc;
}

const struct prop_desc *
prop_desc_by_name(enum prop_scope scope, const char *name)
{
	uint32_t                nr;
	const struct prop_desc *table = prop_table(scope, &nr);

	for (uint32_t i = 0; i < nr; i++) {
		if (strcasecmp(table[i].name, name) == 0 ||
		    (table[i].alias != NULL && strcasecmp(table[i].alias, name) == 0))
			return &table[i];
	}
	return NULL;
}

static int
word_check(const struct prop_desc *desc, uint64_t value)
{
	if ((desc->flags & PROP_INHERIT) && value == 0)
		return 0;
	for (const struct prop_word *w = desc->words; w->word != NULL; w++) {
		if (w->value == value)
			return 0;
	}
	return -DER_INVAL;
}

static int
number_check(const struct prop_desc *desc, uint64_t value)
{
	struct daos_co_status status;

	if (desc->form == PROP_FORM_WORD)
		return word_check(desc, value);
	if (desc->form == PROP_FORM_STATUS) {
		daos_prop_val_2_co_status(value, &status);
		return status.dcs_status <= DAOS_PROP_CO_UNCLEAN && status.dcs_flags <= DAOS_PROP_CO_CLEAR
			   ? 0 : -DER_INVAL;
	}
	if ((desc->flags & PROP_INHERIT) && value == 0)
		return 0;
	if (value < desc->min || value > desc->max)
		return -DER_INVAL;
	if (desc->multiple != 0 && value % desc->multiple != 0)
		return -DER_INVAL;
	return 0;
}

static bool
is_label(uint32_t type)
{
	return type == DAOS_PROP_PO_LABEL || type == DAOS_PROP_CO_LABEL;
}

static int
string_check(const struct prop_desc *desc, const char *str)
{
	if (str == NULL)
		return -DER_INVAL;
	if (is_label(desc->type))
		return daos_label_is_valid(str) ? 0 : -DER_INVAL;
	/* An owner: "name@" */
	if (strnlen(str, DAOS_ACL_MAX_PRINCIPAL_BUF_LEN) > DAOS_ACL_MAX_PRINCIPAL_LEN)
		return -DER_INVAL;
	return strchr(str, '@') != NULL && str[0] != '@' ? 0 : -DER_INVAL;
}

int
prop_entry_check(const struct prop_desc *desc, const struct daos_prop_entry *entry)
{
	const struct daos_acl *acl;

	switch (desc->kind) {
	case PROP_KIND_NUM:
		return number_check(desc, entry->dpe_val);
	case PROP_KIND_STR:
		return string_check(desc, entry->dpe_str);
	case PROP_KIND_ACL:
		acl = entry->dpe_val_ptr;
		return acl != NULL && acl->dal_ver == DAOS_ACL_VERSION && acl->dal_len <= DAOS_ACL_MAX_ACE_LEN
			   ? 0 : -DER_INVAL;
	default:
		return entry->dpe_val_ptr != NULL ? 0 : -DER_INVAL;
	}
}

int
prop_list_check(enum prop_scope scope, const daos_prop_t *prop, uint32_t refuse)
{
	uint64_t seen = 0;
	int      rc;

	if (prop == NULL)
		return 0;
	if (prop->dpp_nr > DAOS_PROP_ENTRIES_MAX_NR)
		return -DER_INVAL;
	for (uint32_t i = 0; i < prop->dpp_nr; i++) {
		const struct daos_prop_entry *entry = &prop->dpp_entries[i];
		const struct prop_desc       *desc = prop_desc_by_type(entry->dpe_type);
		uint64_t                      bit;

		if (desc == NULL || (desc->type > DAOS_PROP_CO_MIN) != (scope == PROP_CONT))
			return -DER_INVAL;
		bit = 1ULL << (desc->type & 63);
		if (seen & bit)
			return -DER_INVAL;
		seen |= bit;
		if (desc->flags & refuse)
			return -DER_NO_PERM;
		rc = prop_entry_check(desc, entry);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
prop_entry_default(const struct prop_desc *desc, struct daos_prop_entry *entry)
{
	struct daos_prop_entry e = {.dpe_type = desc->type};

	if (desc->kind == PROP_KIND_NUM)
		e.dpe_val = desc->def;
	else if (desc->kind == PROP_KIND_STR) {
		e.dpe_str = strdup(desc->def_str);
		if (e.dpe_str == NULL)
			return -DER_NOMEM;
	}
	*entry = e;
	return 0;
}

uint64_t
prop_list_num(const daos_prop_t *prop, uint32_t type, uint64_t otherwise)
{
	struct daos_prop_entry *entry = daos_prop_entry_get((daos_prop_t *)prop, type);

	return entry != NULL && daos_prop_is_set(entry) ? entry->dpe_val : otherwise;
}

const char *
prop_list_str(const daos_prop_t *prop, uint32_t type)
{
	struct daos_prop_entry *entry = daos_prop_entry_get((daos_prop_t *)prop, type);

	return entry != NULL && daos_prop_is_set(entry) ? entry->dpe_str : NULL;
}
