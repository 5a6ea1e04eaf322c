/* Numbers and names of the database that its writer and its readers share. FORMAT.md
 * beside this file draws the format; the two change together. */
#ifndef WEIR_STORE_FORMAT_H
#define WEIR_STORE_FORMAT_H

/* The file inside the store's directory. */
#define STORE_DB_NAME "weir.db"

/* PRAGMA application_id: the letters "weir". */
#define STORE_APPLICATION_ID 0x77656972

/* PRAGMA user_version. Bump me when a reader of the last version would misread. */
#define STORE_FORMAT_VERSION 2

/* Key of a column: interval * STORE_COLUMN_STEP + column. */
#define STORE_COLUMN_STEP 64

/* Most flow rows of one interval (a worker has at most 16 Mi flows; several maps of
 * one interval may be merged). A block that says more is damaged. */
#define STORE_ROWS_MAX (UINT32_C(1) << 27)

#endif
