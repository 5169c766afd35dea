/** Rooms of both kinds, put together: those of XMPP services that are linked, and Matrix rooms that XMPP users enter. */
import { createGateway, type Gateway, type GatewayDeps } from "../gateway/gateway.ts";
import { createRooms, type Rooms, type RoomsDeps } from "../rooms/rooms.ts";
import type { Traffic } from "./traffic.ts";

export type RoomPartsDeps = RoomsDeps & GatewayDeps;

export interface RoomParts {
  rooms: Rooms;
  gateway: Gateway;
  /** In the order in which they are asked. */
  traffic: readonly Traffic[];
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createRoomParts(deps: RoomPartsDeps): RoomParts {
  const rooms = createRooms(deps);
  const gateway = createGateway(deps);
  return {
    rooms,
    gateway,
    traffic: [rooms, gateway],
    async start() {
      await rooms.start();
      await gateway.start();
    },
    async stop() {
      await rooms.stop();
      await gateway.stop();
    },
  };
}
