-- Lists (book.py, keeping.py, compiling.py, importing.py).  A part holds the hashes from part << 52 on, 2^52 of them.

-- name: in_force
-- What each process looks at after a change in the directory.
SELECT l.name, l.edition, e.revision, e.widths FROM risk_lists l JOIN risk_list_editions e ON e.id = l.edition

-- name: changed_parts
-- Behind a field and a part, so many; `entries` tells how much can be fetched at once.
SELECT field, part, entries FROM risk_list_parts
WHERE edition = $1 AND revision > $2 AND (field, part) > ($3::smallint, $4::smallint)
ORDER BY field, part
LIMIT $5

-- name: parts
SELECT part, hashes, expiries FROM risk_list_parts WHERE edition = $1 AND field = $2 AND part = ANY ($3::smallint[])
