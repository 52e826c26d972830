/* SPDX-License-Identifier: BSD-2-Clause-Patent */
/**
 * The superblock: written once by format, twice on the device. Either copy opens the device; a bad
 * one is reported and left alone.
 */
#define D_LOGFAC LOG_FAC_BIO

#include <string.h>
#include "base/crc32c.h"
#include "base/log.h"
#include "bio/bio_int.h"

static const uint64_t copy_off[2] = {0, BIO_SUPER_COPY_OFF};

static uint32_t
super_crc(struct bio_super_df *df)
{
	uint32_t saved = df->crc, crc;

	df->crc = 0;
	crc     = d_crc32c(0, df, sizeof(*df));
	df->crc = saved;
	return crc;
}

enum super_state { SUPER_GOOD, SUPER_ABSENT, SUPER_BAD, SUPER_VERSION };

static enum super_state
super_judge(struct bio_super_df *df)
{
	uint64_t *word = (uint64_t *)df;
	size_t    i    = 0;

	if (df->magic == BIO_SUPER_MAGIC && df->crc == super_crc(df)) {
		if (df->version != BIO_VERSION)
			return SUPER_VERSION;
		return df->cluster_bytes == BIO_CLUSTER_BYTES &&
			       df->cluster_nr > BIO_FIRST_CLUSTER &&
			       df->size_bytes / BIO_CLUSTER_BYTES == df->cluster_nr
			   ? SUPER_GOOD
			   : SUPER_BAD;
	}
	if (df->magic == BIO_SUPER_MAGIC)
		return SUPER_BAD;
	while (i < sizeof(*df) / 8 && word[i] == 0)
		i++;
	return i == sizeof(*df) / 8 ? SUPER_ABSENT : SUPER_BAD;
}

static int
super_load(struct bio_dev *dev, struct bio_super_df **ret_df, enum super_state state[2])
{
	struct bio_super_df *df = aligned_alloc(BIO_BLOCK_BYTES, 2 * sizeof(*df));
	int                  rc = df == NULL ? -DER_NOMEM : 0;

	for (int i = 0; rc == 0 && i < 2; i++) {
		rc = bio_dev_pread(dev, copy_off[i], &df[i], sizeof(df[i]));
		if (rc == 0)
			state[i] = super_judge(&df[i]);
	}
	if (rc != 0) {
		free(df);
		return rc;
	}
	*ret_df = df;
	return 0;
}

static int
super_none(const struct bio_dev *dev, const struct bio_super_df *df,
	   const enum super_state state[2])
{
	for (int i = 0; i < 2; i++) {
		if (state[i] == SUPER_VERSION) {
			D_ERROR("%s: format version %u, this program reads %u; use the program "
				"that formatted it\n", dev->name, df[i].version, BIO_VERSION);
			return -DER_DF_INCOMPT;
		}
	}
	/* Neither block carries our magic: foreign or empty, never ours. */
	if (df[0].magic != BIO_SUPER_MAGIC && df[1].magic != BIO_SUPER_MAGIC) {
		D_ERROR("%s: not formatted for this system (no superblock); format it first\n",
			dev->name);
		return -DER_UNINIT;
	}
	D_ERROR("%s: both copies of the superblock are damaged; nothing was changed. Restore the "
		"device, or format it anew and rebuild its contents from replicas\n", dev->name);
	return -DER_DF_INVAL;
}

int
bio_super_read(struct bio_dev *dev)
{
	struct bio_super_df *df = NULL;
	enum super_state     state[2];
	int                  good, rc;

	rc = super_load(dev, &df, state);
	if (rc != 0)
		return rc;
	good = state[0] == SUPER_GOOD ? 0 : 1;
	if (state[good] != SUPER_GOOD) {
		rc = super_none(dev, df, state);
		free(df);
		return rc;
	}
	if (state[!good] != SUPER_GOOD ||
	    memcmp(&df[0], &df[1], sizeof(df[0])) != 0)
		D_WARN("%s: copy %d of the superblock (byte %lu) is damaged; using the other one. "
		       "The device may be failing\n", dev->name, !good, copy_off[!good]);
	memcpy(dev->uuid, df[good].dev_uuid, sizeof(dev->uuid));
	memcpy(dev->system_uuid, df[good].system_uuid, sizeof(dev->system_uuid));
	dev->size_bytes = df[good].size_bytes;
	dev->cluster_nr = df[good].cluster_nr;
	dev->roles      = df[good].roles;
	free(df);
	return 0;
}

int
bio_super_heal(struct bio_dev *dev, unsigned *nr)
{
	struct bio_super_df *df = NULL;
	enum super_state     state[2];
	int                  good, rc;

	rc = super_load(dev, &df, state);
	if (rc != 0)
		return rc;
	good = state[0] == SUPER_GOOD ? 0 : 1;
	if (state[good] != SUPER_GOOD) {
		rc = super_none(dev, df, state);
	} else if (memcmp(&df[0], &df[1], sizeof(df[0])) != 0) {
		rc = bio_dev_pwrite(dev, copy_off[!good], &df[good], sizeof(df[good]));
		if (rc == 0)
			rc = bio_dev_sync(dev);
		*nr += rc == 0;
	}
	free(df);
	return rc;
}

uint32_t
bio_dev_roles(const struct bio_dev *dev)
{
	return dev->roles;
}

int
bio_dev_heal(struct bio_dev *dev, unsigned *ret_nr)
{
	int rc;

	*ret_nr = 0;
	rc      = bio_super_heal(dev, ret_nr);
	return rc != 0 ? rc : bio_table_heal(dev, ret_nr);
}

int
bio_super_probe(struct bio_dev *dev, enum bio_content *ret_content)
{
	struct bio_super_df *df = NULL;
	enum super_state     state[2];
	int                  rc = super_load(dev, &df, state);

	if (rc != 0)
		return rc;
	if (df[0].magic == BIO_SUPER_MAGIC || df[1].magic == BIO_SUPER_MAGIC)
		*ret_content = BIO_CONTENT_OURS;
	else
		*ret_content = state[0] == SUPER_ABSENT ? BIO_CONTENT_NONE : BIO_CONTENT_FOREIGN;
	free(df);
	return 0;
}

int
bio_super_write(struct bio_dev *dev, uint32_t roles)
{
	struct bio_super_df *df = aligned_alloc(BIO_BLOCK_BYTES, sizeof(*df));
	int                  rc = 0;

	if (df == NULL)
		return -DER_NOMEM;
	memset(df, 0, sizeof(*df));
	df->magic         = BIO_SUPER_MAGIC;
	df->version       = BIO_VERSION;
	df->size_bytes    = dev->size_bytes;
	df->cluster_bytes = BIO_CLUSTER_BYTES;
	df->cluster_nr    = dev->cluster_nr;
	df->roles         = roles;
	memcpy(df->dev_uuid, dev->uuid, sizeof(df->dev_uuid));
	memcpy(df->system_uuid, dev->system_uuid, sizeof(df->system_uuid));
	df->crc = super_crc(df);
	for (int i = 0; rc == 0 && i < 2; i++)
		rc = bio_dev_pwrite(dev, copy_off[i], df, sizeof(*df));
	free(df);
	return rc != 0 ? rc : bio_dev_sync(dev);
}
