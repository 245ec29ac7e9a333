// The refusals of the simulated Databrain: its documented codes, each with its status.

export const statusOfCode = {
  AUTHENTICATION_ERROR: 401,
  INVALID_REQUEST_BODY: 400,
  CLIENT_ID_ERROR: 400,
  DASHBOARD_PARAM_ERROR: 400,
  APP_FILTER_PARAM_ERROR: 400,
  RLS_SETTINGS_PARAM_ERROR: 400,
  DATA_APP_ID_ERROR: 404,
  WORKSPACE_ID_ERROR: 404,
  INVALID_PERMISSIONS: 403,
  EXPIRED_TOKEN: 401,
  RATE_LIMIT_EXCEEDED: 429,
  INTERNAL_SERVER_ERROR: 500,
} as const;

export type RefusalCode = keyof typeof statusOfCode;

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
  readonly status: number;
}

/** @param status only if the vendor uses one code with several statuses */
export const refuse = (code: RefusalCode, message: string, status: number = statusOfCode[code]): Refusal => ({
  code,
  message,
  status,
});
