"""What each step from one layout of the tables to the next does, in SQL.

A step is frozen once released: it is not written against the table classes, which move on.
"""

from __future__ import annotations

from typing import Final

_LAST_PART: Final = "substr({0}, length(rtrim({0}, replace({0}, '/', ''))) + 1)"

_FIRST: Final = (
    """CREATE TABLE roots (
      id INTEGER NOT NULL,
      path BLOB NOT NULL,
      display TEXT NOT NULL,
      added_at TEXT NOT NULL,
      last_walked_at TEXT,
      settled_photo_id INTEGER NOT NULL,
      PRIMARY KEY (id),
      UNIQUE (path)
    )""",
    """CREATE TABLE contents (
      id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
      hash BLOB NOT NULL,
      size INTEGER NOT NULL,
      width INTEGER NOT NULL,
      height INTEGER NOT NULL,
      format TEXT NOT NULL,
      orientation INTEGER NOT NULL,
      taken_at TEXT,
      taken_offset INTEGER,
      camera_make TEXT,
      camera_model TEXT,
      lens TEXT,
      latitude DOUBLE,
      longitude DOUBLE,
      altitude DOUBLE,
      photo_count INTEGER NOT NULL,
      UNIQUE (hash)
    )""",
    "CREATE INDEX ix_contents_absent ON contents (id) WHERE photo_count = 0",
    """CREATE TABLE spaces (
      id INTEGER NOT NULL,
      "key" TEXT NOT NULL,
      name TEXT NOT NULL,
      model TEXT NOT NULL,
      weights TEXT NOT NULL,
      preprocess TEXT NOT NULL,
      dim INTEGER NOT NULL,
      has_text BOOLEAN NOT NULL,
      created_at TEXT NOT NULL,
      epoch INTEGER NOT NULL,
      PRIMARY KEY (id),
      UNIQUE ("key")
    )""",
    """CREATE TABLE library (
      id INTEGER NOT NULL,
      created_at TEXT NOT NULL,
      generation INTEGER NOT NULL,
      default_space_id INTEGER,
      PRIMARY KEY (id),
      FOREIGN KEY(default_space_id) REFERENCES spaces (id)
    )""",
    """CREATE TABLE photos (
      id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
      root_id INTEGER NOT NULL,
      path BLOB NOT NULL,
      display TEXT NOT NULL,
      content_id INTEGER NOT NULL,
      size INTEGER NOT NULL,
      mtime_ns INTEGER NOT NULL,
      missing_since TEXT,
      UNIQUE (root_id, path),
      FOREIGN KEY(root_id) REFERENCES roots (id) ON DELETE CASCADE,
      FOREIGN KEY(content_id) REFERENCES contents (id)
    )""",
    "CREATE INDEX ix_photos_content ON photos (content_id)",
    "CREATE INDEX ix_photos_missing ON photos (missing_since) WHERE missing_since IS NOT NULL",
    """CREATE TABLE vectors (
      id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
      space_id INTEGER NOT NULL,
      content_id INTEGER NOT NULL,
      vector BLOB NOT NULL,
      UNIQUE (space_id, content_id),
      FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
      FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE
    )""",
    """CREATE TABLE failures (
      id INTEGER NOT NULL,
      root_id INTEGER NOT NULL,
      path BLOB NOT NULL,
      display TEXT NOT NULL,
      stage TEXT NOT NULL,
      reason TEXT NOT NULL,
      size INTEGER NOT NULL,
      mtime_ns INTEGER NOT NULL,
      failed_at TEXT NOT NULL,
      PRIMARY KEY (id),
      UNIQUE (root_id, path),
      FOREIGN KEY(root_id) REFERENCES roots (id) ON DELETE CASCADE
    )""",
    """CREATE TABLE runs (
      id INTEGER NOT NULL,
      started_at TEXT NOT NULL,
      finished_at TEXT,
      state TEXT NOT NULL,
      space_id INTEGER,
      summary TEXT,
      PRIMARY KEY (id),
      FOREIGN KEY(space_id) REFERENCES spaces (id)
    )""",
    """INSERT INTO library (id, created_at, generation)
      VALUES (1, strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now'), 0)""",
)

# What filters ask for, and what people decide.
_SECOND: Final = (
    "ALTER TABLE library ADD COLUMN marks_generation INTEGER DEFAULT 0 NOT NULL",
    """ALTER TABLE contents ADD COLUMN camera TEXT GENERATED ALWAYS AS
      (nullif(trim(coalesce(camera_make, '') || ' ' || coalesce(camera_model, '')), '')) VIRTUAL""",
    """ALTER TABLE contents ADD COLUMN shape TEXT GENERATED ALWAYS AS
      (CASE WHEN width > height THEN 'landscape' WHEN width < height THEN 'portrait' ELSE 'square' END) VIRTUAL""",
    "DROP INDEX ix_contents_absent",
    "CREATE INDEX ix_contents_absent ON contents (photo_count) WHERE photo_count = 0",
    "CREATE INDEX ix_contents_taken ON contents (taken_at DESC) WHERE taken_at IS NOT NULL",
    "CREATE INDEX ix_contents_camera ON contents (camera) WHERE camera IS NOT NULL",
    "CREATE INDEX ix_contents_lens ON contents (lens) WHERE lens IS NOT NULL",
    "CREATE INDEX ix_contents_place ON contents (latitude, longitude) WHERE latitude IS NOT NULL",
    "CREATE INDEX ix_contents_width ON contents (width)",
    "CREATE INDEX ix_contents_height ON contents (height)",
    "CREATE INDEX ix_contents_size ON contents (size)",
    "CREATE INDEX ix_contents_shape ON contents (shape)",
    "ALTER TABLE photos ADD COLUMN folder TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE photos ADD COLUMN name TEXT DEFAULT '' NOT NULL",
    "ALTER TABLE photos ADD COLUMN ext TEXT DEFAULT '' NOT NULL",
    f"""UPDATE photos SET
      folder = (SELECT replace('/' || {_LAST_PART.format("rtrim(roots.display, '/')")} || '/', '//', '/')
                FROM roots WHERE roots.id = photos.root_id)
               || rtrim(display, replace(display, '/', '')),
      name = fold({_LAST_PART.format("display")})""",
    """UPDATE photos SET ext = substr(name, length(rtrim(name, replace(name, '.', ''))) + 1)
      WHERE instr(name, '.') > 0""",
    "CREATE INDEX ix_photos_folder ON photos (folder, content_id, missing_since) WHERE missing_since IS NULL",
    "CREATE INDEX ix_photos_name ON photos (name, content_id, missing_since) WHERE missing_since IS NULL",
    "CREATE INDEX ix_photos_ext ON photos (ext, content_id, missing_since) WHERE missing_since IS NULL",
    """CREATE TABLE tags (
      id INTEGER NOT NULL,
      name TEXT NOT NULL,
      "key" TEXT NOT NULL,
      PRIMARY KEY (id),
      UNIQUE ("key")
    )""",
    """CREATE TABLE content_tags (
      tag_id INTEGER NOT NULL,
      content_id INTEGER NOT NULL,
      PRIMARY KEY (tag_id, content_id),
      FOREIGN KEY(tag_id) REFERENCES tags (id) ON DELETE CASCADE,
      FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE
    ) WITHOUT ROWID""",
    "CREATE INDEX ix_content_tags_content ON content_tags (content_id, tag_id)",
    """CREATE TABLE favourites (
      content_id INTEGER NOT NULL,
      PRIMARY KEY (content_id),
      FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE
    )""",
    """CREATE TABLE saved_searches (
      id INTEGER NOT NULL,
      name TEXT NOT NULL,
      "query" TEXT NOT NULL,
      saved_at TEXT NOT NULL,
      PRIMARY KEY (id),
      UNIQUE (name)
    )""",
)

# What pages show and choose.
_THIRD: Final = (
    "ALTER TABLE contents ADD COLUMN colour INTEGER",
    "CREATE INDEX ix_contents_copies ON contents (photo_count DESC) WHERE photo_count > 1",
    """CREATE TABLE set_asides (
      photo_id INTEGER NOT NULL,
      PRIMARY KEY (photo_id),
      FOREIGN KEY(photo_id) REFERENCES photos (id) ON DELETE CASCADE
    )""",
    """CREATE TABLE sets (
      id INTEGER NOT NULL,
      name TEXT NOT NULL,
      ids BLOB NOT NULL,
      made_at TEXT NOT NULL,
      PRIMARY KEY (id),
      UNIQUE (name)
    )""",
)

_FOURTH: Final = (  # which version of the program read a picture's header
    "ALTER TABLE contents ADD COLUMN facts_version INTEGER DEFAULT 1 NOT NULL",
    "CREATE INDEX ix_contents_facts_version ON contents (facts_version)",
)

_FIFTH: Final = (
    "ALTER TABLE contents ADD COLUMN rating INTEGER",
    "CREATE INDEX ix_contents_rating ON contents (rating) WHERE rating IS NOT NULL",
)

# What people and cameras wrote, how a root is walked, and what a file was when it was read.
_SIXTH: Final = (
    *(
        f"ALTER TABLE contents ADD COLUMN {column}"
        for column in (
            "taken_from TEXT", "iso INTEGER", "aperture FLOAT", "exposure FLOAT", "focal FLOAT", "town TEXT",
            "region TEXT", "country TEXT", "colour_label TEXT", "title TEXT", "caption TEXT", "keywords TEXT",
            "people TEXT", "remark TEXT",
        )
    ),
    *(
        f"CREATE INDEX ix_contents_{column} ON contents ({column}) WHERE {column} IS NOT NULL"
        for column in ("iso", "aperture", "exposure", "focal", "colour_label", "town", "region", "country")
    ),
    """CREATE TABLE words (
      id INTEGER NOT NULL,
      kind TEXT NOT NULL,
      name TEXT NOT NULL,
      "key" TEXT NOT NULL,
      PRIMARY KEY (id),
      UNIQUE (kind, "key")
    )""",
    """CREATE TABLE content_words (
      word_id INTEGER NOT NULL,
      content_id INTEGER NOT NULL,
      PRIMARY KEY (word_id, content_id),
      FOREIGN KEY(word_id) REFERENCES words (id) ON DELETE CASCADE,
      FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE
    ) WITHOUT ROWID""",
    "CREATE INDEX ix_content_words_content ON content_words (content_id, word_id)",
    """CREATE VIRTUAL TABLE texts USING fts5(title, caption, keywords, people,
      tokenize="unicode61 remove_diacritics 2")""",
    "CREATE TRIGGER texts_removed AFTER DELETE ON contents "
    "WHEN coalesce(old.title, old.caption, old.keywords, old.people) IS NOT NULL "
    "BEGIN DELETE FROM texts WHERE rowid = old.id; END",
    "ALTER TABLE roots ADD COLUMN options TEXT",
    "ALTER TABLE roots ADD COLUMN drives TEXT",
    "ALTER TABLE photos ADD COLUMN device INTEGER",
    "ALTER TABLE photos ADD COLUMN inode INTEGER",
    "ALTER TABLE photos ADD COLUMN ctime_ns INTEGER",
    "ALTER TABLE photos ADD COLUMN sidecars BLOB",
    "ALTER TABLE failures ADD COLUMN inode INTEGER",
    "ALTER TABLE failures ADD COLUMN ctime_ns INTEGER",
    """CREATE TABLE left_marks (
      photo_id INTEGER NOT NULL,
      content_id INTEGER NOT NULL,
      PRIMARY KEY (photo_id, content_id),
      FOREIGN KEY(photo_id) REFERENCES photos (id) ON DELETE CASCADE,
      FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE
    ) WITHOUT ROWID""",
    "CREATE INDEX ix_left_marks_content ON left_marks (content_id)",
    "CREATE INDEX ix_vectors_content ON vectors (content_id)",
)  # fmt: skip

# What a space's files hold, and what a picture looks like in few numbers.
_SEVENTH: Final = (
    "ALTER TABLE spaces ADD COLUMN fingerprint TEXT",
    "CREATE INDEX ix_spaces_fingerprint ON spaces (fingerprint) WHERE fingerprint IS NOT NULL",
    """CREATE TABLE looks (
      content_id INTEGER NOT NULL,
      hash INTEGER NOT NULL,
      grey BLOB NOT NULL,
      PRIMARY KEY (content_id),
      FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE
    )""",
    # A space without text that took the place of a complete one with text.
    """UPDATE library SET default_space_id = coalesce(
      (SELECT max(id) FROM spaces WHERE has_text
        AND EXISTS (SELECT 1 FROM vectors WHERE space_id = spaces.id)
        AND NOT EXISTS (SELECT 1 FROM contents WHERE photo_count > 0 AND NOT EXISTS
          (SELECT 1 FROM vectors WHERE space_id = spaces.id AND content_id = contents.id))),
      default_space_id)
      WHERE EXISTS (SELECT 1 FROM spaces WHERE id = default_space_id AND NOT has_text)""",
    "ALTER TABLE library ADD COLUMN looks_due INTEGER DEFAULT 0 NOT NULL",
    "UPDATE library SET looks_due = (SELECT coalesce(max(id), 0) FROM contents)",
)

# What tells that a vector, look or thumbnail was damaged, which disk a root lies on, and whether it is watched.
_EIGHTH: Final = (
    "ALTER TABLE vectors ADD COLUMN checksum INTEGER",
    "ALTER TABLE roots ADD COLUMN identity TEXT",
    "ALTER TABLE roots ADD COLUMN watched INTEGER DEFAULT 0 NOT NULL",
    "ALTER TABLE looks ADD COLUMN checksum INTEGER",
    "ALTER TABLE library ADD COLUMN checksums_due INTEGER DEFAULT 0 NOT NULL",
    "ALTER TABLE library ADD COLUMN unchecked_pictures INTEGER DEFAULT 0 NOT NULL",
    "UPDATE library SET unchecked_pictures = EXISTS (SELECT 1 FROM contents), "
    "checksums_due = (SELECT coalesce(max(id), 0) FROM vectors)",
)

# Parts of pictures with vectors of their own.
_TILES: Final = (
    """CREATE TABLE tile_grids (
      space_id INTEGER NOT NULL,
      grid INTEGER NOT NULL,
      epoch INTEGER NOT NULL,
      PRIMARY KEY (space_id),
      FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE
    )""",
    """CREATE TABLE tiles (
      id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
      space_id INTEGER NOT NULL,
      content_id INTEGER NOT NULL,
      tiles INTEGER NOT NULL,
      boxes BLOB NOT NULL,
      vectors BLOB NOT NULL,
      checksum INTEGER NOT NULL,
      UNIQUE (space_id, content_id),
      FOREIGN KEY(space_id) REFERENCES spaces (id) ON DELETE CASCADE,
      FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE
    )""",
    "CREATE INDEX ix_tiles_count ON tiles (space_id, tiles)",
    "CREATE INDEX ix_tiles_content ON tiles (content_id)",
    # Also for those that go with their content.
    "CREATE TRIGGER tiles_removed AFTER DELETE ON tiles "
    "BEGIN UPDATE tile_grids SET epoch = epoch + 1 WHERE space_id = old.space_id; END",
)

# Words that a person taught by pictures.
_CONCEPTS: Final = (
    """CREATE TABLE concepts (
      id INTEGER NOT NULL,
      name TEXT NOT NULL,
      "key" TEXT NOT NULL,
      changed_at TEXT NOT NULL,
      PRIMARY KEY (id),
      UNIQUE ("key")
    )""",
    """CREATE TABLE concept_pictures (
      concept_id INTEGER NOT NULL,
      content_id INTEGER NOT NULL,
      is_example INTEGER NOT NULL,
      PRIMARY KEY (concept_id, content_id),
      FOREIGN KEY(concept_id) REFERENCES concepts (id) ON DELETE CASCADE,
      FOREIGN KEY(content_id) REFERENCES contents (id) ON DELETE CASCADE
    ) WITHOUT ROWID""",
    "CREATE INDEX ix_concept_pictures_content ON concept_pictures (content_id)",
)

# The address of thumbnails in a store of objects.
_THUMBNAILS: Final = ("ALTER TABLE library ADD COLUMN thumbnails TEXT",)

_NINTH: Final = (*_TILES, *_CONCEPTS, *_THUMBNAILS)

STEPS: Final = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH, _SEVENTH, _EIGHTH, _NINTH)
