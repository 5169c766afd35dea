/** The application that anyone may reach: it tells nothing about itself, neither by headers nor by pages of Express. */
import express, { type Express } from "express";

/** @param trustedProxies addresses and networks whose `X-Forwarded-For` is believed. */
export function createPublicApp(trustedProxies: readonly string[]): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.set("trust proxy", trustedProxies);
  app.use((req, _res, next) => {
    // Express would make a 304 of a success.
    delete req.headers["if-none-match"];
    next();
  });
  return app;
}
