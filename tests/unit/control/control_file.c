/* SPDX-License-Identifier: BSD-2-Clause-Patent */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control_file.h"

void
test_dir_make(struct test_dir *dir)
{
	strcpy(dir->path, "/tmp/control_test.XXXXXX");
	assert_non_null(mkdtemp(dir->path));
}

char *
test_dir_file(const struct test_dir *dir, const char *name, char *buf, size_t bytes)
{
	snprintf(buf, bytes, "%s/%s", dir->path, name);
	return buf;
}

void
test_dir_remove(struct test_dir *dir)
{
	DIR	      *d = opendir(dir->path);
	struct dirent *ent;
	char	       path[512];

	assert_non_null(d);
	while ((ent = readdir(d)) != NULL) {
		if (strcmp(ent->d_name, ".") == 0 || strcmp(ent->d_name, "..") == 0)
			continue;
		test_dir_file(dir, ent->d_name, path, sizeof(path));
		assert_int_equal(remove(path), 0);
	}
	closedir(d);
	assert_int_equal(rmdir(dir->path), 0);
}

void
test_file_write(const char *path, const void *data, size_t bytes)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, bytes), bytes);
	close(fd);
}

char *
test_file_read(const char *path, size_t *ret_bytes)
{
	int	    fd = open(path, O_RDONLY);
	struct stat st;
	char	   *data;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	data = calloc(1, st.st_size + 1);
	assert_non_null(data);
	assert_int_equal(read(fd, data, st.st_size), st.st_size);
	close(fd);
	*ret_bytes = st.st_size;
	return data;
}
