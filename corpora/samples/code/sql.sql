-- A lending library: schema, a few rows, and the monthly reports.
PRAGMA foreign_keys = ON;

CREATE TABLE member (
    member_id   INTEGER PRIMARY KEY,
    full_name   TEXT    NOT NULL CHECK (length(full_name) >= 2),
    joined_on   DATE    NOT NULL,
    email       TEXT    UNIQUE
);

CREATE TABLE book (
    book_id     INTEGER PRIMARY KEY,
    title       TEXT    NOT NULL,
    author      TEXT    NOT NULL,
    year        INTEGER CHECK (year BETWEEN 1450 AND 2100),
    price_cents INTEGER NOT NULL DEFAULT 1500
);

CREATE TABLE loan (
    loan_id     INTEGER PRIMARY KEY,
    book_id     INTEGER NOT NULL REFERENCES book (book_id),
    member_id   INTEGER NOT NULL REFERENCES member (member_id) ON DELETE CASCADE,
    taken_on    DATE    NOT NULL,
    returned_on DATE,
    CHECK (returned_on IS NULL OR returned_on >= taken_on)
);

-- A book can be on loan only once at a time.
CREATE UNIQUE INDEX one_open_loan ON loan (book_id) WHERE returned_on IS NULL;

INSERT INTO member (member_id, full_name, joined_on, email) VALUES
    (1, 'Amina Diallo',   '2021-09-01', 'amina@example.org'),
    (2, 'Tomás O''Brien', '2022-01-17', NULL),
    (3, 'Mei Lindqvist',  '2023-05-30', 'mei@example.org');

INSERT INTO book (book_id, title, author, year, price_cents) VALUES
    (10, 'The Walnut Tree',       'I. Petrova', 1987, 2450),
    (11, 'Bridges and Viaducts',  'R. Okafor',  2004, 10900),
    (12, 'A Short Course in Rye', 'M. Hansen',  2016, 1895);

INSERT INTO loan (book_id, member_id, taken_on, returned_on) VALUES
    (10, 1, '2024-01-03', '2024-01-20'),
    (11, 1, '2024-01-20', '2024-03-02'),
    (10, 2, '2024-02-11', NULL),
    (12, 3, '2024-02-14', '2024-02-29');

-- Every loan with its length in days; an open loan counts until the report date.
CREATE VIEW loan_length AS
SELECT l.*,
       julianday(coalesce(l.returned_on, '2024-03-31')) - julianday(l.taken_on) AS days
FROM loan AS l;

-- 1. Overdue loans (more than 28 days) and the fee: 20 cents a day, never above the price.
SELECT m.full_name,
       b.title,
       CAST(l.days AS INTEGER) AS days,
       min(20 * (CAST(l.days AS INTEGER) - 28), b.price_cents) / 100.0 AS fee
FROM loan_length AS l
JOIN member AS m USING (member_id)
JOIN book   AS b USING (book_id)
WHERE l.days > 28
ORDER BY fee DESC, m.full_name;

-- 2. Loans per month, with a running total.
WITH monthly AS (
    SELECT strftime('%Y-%m', taken_on) AS month, count(*) AS loans
    FROM loan
    GROUP BY month
)
SELECT month, loans, sum(loans) OVER (ORDER BY month) AS so_far
FROM monthly;

-- 3. Members, how often they borrow, and what kind of reader that makes them.
SELECT m.full_name || coalesce(' <' || m.email || '>', '') AS contact,
       count(l.loan_id) AS loans,
       CASE
           WHEN count(l.loan_id) >= 2 THEN 'regular'
           WHEN count(l.loan_id) = 1 THEN 'occasional'
           ELSE 'inactive'
       END AS kind
FROM member AS m
LEFT JOIN loan AS l ON l.member_id = m.member_id AND l.taken_on >= '2024-01-01'
GROUP BY m.member_id
HAVING min(m.joined_on) < '2024-01-01'
ORDER BY loans DESC, contact;
