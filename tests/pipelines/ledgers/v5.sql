BEGIN TRANSACTION;
CREATE TABLE alerts (
        site TEXT NOT NULL,
        subject TEXT NOT NULL,
        run TEXT NOT NULL,
        sentence TEXT NOT NULL,
        recorded TEXT NOT NULL,
        told TEXT,
        sent TEXT,
        PRIMARY KEY (site, subject)
    ) STRICT
    ;
INSERT INTO "alerts" VALUES('centre','ev-1','20190401T000000Z-1a2b3c','1 new building.','2019-04-01T00:00:00+00:00','2019-04-01T00:00:00+00:00',NULL);
CREATE TABLE attempts (
        site TEXT PRIMARY KEY,
        began TEXT NOT NULL
    ) STRICT
    ;
INSERT INTO "attempts" VALUES('centre','2019-04-01T00:00:00+00:00');
CREATE TABLE looks (
        site TEXT PRIMARY KEY,
        question TEXT NOT NULL,
        newest TEXT,
        looked TEXT NOT NULL
    ) STRICT
    ;
INSERT INTO "looks" VALUES('centre','0f0f','2019-03-27T03:31:00+00:00','2019-04-01T00:00:00+00:00');
CREATE TABLE observations (
        site TEXT NOT NULL,
        scene TEXT NOT NULL,
        time TEXT,
        state TEXT NOT NULL CHECK (state IN
            ('change', 'no-change', 'not-observed', 'not-distinguishable', 'failed', 'pending')),
        reason TEXT NOT NULL,
        run TEXT,
        recorded TEXT NOT NULL,
        PRIMARY KEY (site, scene)
    ) STRICT
    ;
INSERT INTO "observations" VALUES('centre','S2A_1','2019-03-12T03:31:00+00:00','not-observed','only 3 % of the site is clear',NULL,'2019-04-01T00:00:00+00:00');
INSERT INTO "observations" VALUES('centre','S2A_2','2019-03-27T03:31:00+00:00','change','compared','20190401T000000Z-1a2b3c','2019-04-01T00:00:00+00:00');
INSERT INTO "observations" VALUES('centre','torn.tif',NULL,'failed','not an image',NULL,'2019-04-01T00:00:00+00:00');
CREATE TABLE runs (
        run TEXT PRIMARY KEY,
        site TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        recorded TEXT NOT NULL
    ) STRICT
    ;
INSERT INTO "runs" VALUES('20190401T000000Z-1a2b3c','centre','change','','2019-04-01T00:00:00+00:00');
COMMIT;
PRAGMA user_version = 5;
